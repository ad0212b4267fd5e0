// chat is what the page knows, and how it comes to know it.
import { useEffect, useReducer } from 'preact/hooks'
import { drop, Failure, get, post, put } from './api'
import type { Asking, Event, Found, Group, Joining, Key, Me, Message, Person, Progress, State, Talk, TalkID } from './api'
import { notify } from './notify'
import { plain, shortKey } from './text'

export type Phase = 'loading' | 'ready' | 'away' | 'ended' | 'moved'

export interface History {
  list: Message[]
  whole: boolean // the first message is there
  tail: boolean // the newest is
  loading: boolean
  firstNew: number // the number of the first message that was new when the conversation was opened; 0: none
}

export interface Upload {
  n: number
  talk: TalkID
  name: string
  size: number
  sent: number
  error: string
  stop: AbortController
}

export type Show =
  | { kind: 'me' | 'newPerson' | 'newGroup' | 'devices' | 'export' }
  | { kind: 'person'; key: Key }
  | { kind: 'group'; talk: TalkID }
  | null

const page = 50 // messages asked for at a time
const searchPause = 200 // milliseconds without another letter before messages are searched
const most = 500 // messages kept of a conversation that grows
const picturePattern = /\.(png|jpe?g|gif|webp)$/i
const fetchedAtOnce = 4 << 20 // bytes of a picture of somebody we know

class Chat {
  phase: Phase = 'loading'
  me: Me = { key: '', address: '', name: '', maxText: 0, maxFile: 0, piece: 1 << 20, links: false }
  people = new Map<Key, Person>()
  groups = new Map<TalkID, Group>()
  talks: Talk[] = []
  asking: Asking[] = [] // to join groups of ours
  joining: Joining[] = [] // that we have asked to
  open: TalkID = ''
  histories = new Map<TalkID, History>()
  progress = new Map<string, Progress>()
  uploads: Upload[] = []
  replyTo = new Map<TalkID, Message>()
  drafts = new Map<TalkID, string>()
  words = ''
  found: Found[] | null = null
  jump = 0 // the number of a message to show
  show: Show = null
  toast = ''
  said = '' // for screen readers
  devicesChanged = 0 // counts

  private listeners = new Set<() => void>()
  private planned = false
  private source: EventSource | null = null
  private pause = 0
  private refreshing = false
  private again = false
  private timer = 0
  private toastTimer = 0
  private uploadCount = 0

  listen(f: () => void) {
    this.listeners.add(f)
    return () => void this.listeners.delete(f)
  }

  changed() {
    if (this.planned) return
    this.planned = true
    queueMicrotask(() => {
      this.planned = false
      for (const f of this.listeners) f()
    })
  }

  // Names

  name(key: Key): string {
    if (key === this.me.key) return 'You'
    return this.people.get(key)?.name || shortKey(key)
  }

  title(talk: TalkID): string {
    return this.groups.get(talk)?.name || (talk.startsWith('group:') ? 'Group' : this.name(talk))
  }

  // Connection

  start() {
    addEventListener('visibilitychange', () => {
      if (document.visibilityState !== 'visible') return
      if (this.phase === 'moved') this.connect()
      this.markRead()
    })
    addEventListener('focus', () => this.markRead())
    setInterval(() => this.changed(), 60_000) // how long ago people were heard of
    addEventListener('popstate', (e) => this.go((e.state as { talk?: TalkID } | null)?.talk ?? '', false))
    this.connect()
  }

  private connect() {
    this.source?.close()
    const source = new EventSource('/api/events')
    this.source = source
    source.onmessage = (e: MessageEvent<string>) => this.hear(JSON.parse(e.data) as Event)
    source.onerror = () => {
      source.close()
      if (this.source !== source || this.phase === 'moved' || this.phase === 'ended') return
      if (this.phase === 'ready') this.set('away')
      this.pause = Math.min(Math.max(500, this.pause * 2), 10_000)
      void this.refresh() // tells whether our session has ended
      setTimeout(() => this.source === source && this.phase !== 'ended' && this.connect(), this.pause)
    }
  }

  private set(p: Phase) {
    this.phase = p
    this.changed()
  }

  private hear(ev: Event) {
    switch (ev.kind) {
      case 'hello':
        this.pause = 0
        if (this.phase === 'moved') this.set('loading')
        void this.refresh()
        for (const t of this.histories.keys()) t === this.open ? void this.load(t) : this.histories.delete(t)
        break
      case 'reset':
        void this.refresh()
        this.histories.forEach((_, t) => void this.load(t))
        break
      case 'moved':
        this.source?.close()
        this.set('moved')
        break
      case 'message':
        if (ev.talk && ev.message) this.take(ev.talk, ev.message)
        break
      case 'file':
        if (ev.id) this.fileMoved(ev.id)
        break
      case 'device':
        if (ev.talk === this.me.key) this.devicesChanged++
        else if (ev.talk) this.tell(`${this.title(ev.talk)} uses a new device: compare the safety number again.`)
        this.soon()
        break
      case 'state':
        this.soon()
        if (ev.talk?.startsWith('group:') && this.histories.has(ev.talk)) void this.load(ev.talk)
    }
  }

  /** soon asks for the state, at most a few times a second. */
  private soon() {
    if (!this.timer) this.timer = window.setTimeout(() => { this.timer = 0; void this.refresh() }, 120)
  }

  async refresh() {
    if (this.refreshing) {
      this.again = true
      return
    }
    this.refreshing = true
    try {
      const s = await get<State>('/api/state')
      this.me = s.me
      this.people = new Map(s.people.map((p) => [p.key, p]))
      this.groups = new Map(s.groups.map((g) => [g.talk, g]))
      this.talks = s.talks.filter((t) => t.last || !t.talk.startsWith('group:') || this.groups.has(t.talk))
      this.asking = s.asking ?? []
      this.joining = s.joining ?? []
      if (this.phase === 'loading') requestAnimationFrame(() => performance.mark('shown'))
      if (this.phase !== 'moved') this.phase = 'ready'
      this.changed()
      this.markRead()
    } catch (err) {
      if (err instanceof Failure && (err.status === 401 || err.status === 403)) {
        this.source?.close()
        this.set('ended')
      } else if (this.phase === 'ready') this.set('away')
    }
    this.refreshing = false
    if (this.again) {
      this.again = false
      this.soon()
    }
  }

  /** run does something that may fail, and tells of it; it reports whether it was done. */
  async run(f: () => Promise<unknown>): Promise<boolean> {
    try {
      await f()
      return true
    } catch (err) {
      this.tell(err instanceof Error ? sentence(err.message) : String(err))
      return false
    }
  }

  tell(text: string) {
    this.toast = text
    clearTimeout(this.toastTimer)
    this.toastTimer = window.setTimeout(() => { this.toast = ''; this.changed() }, 6000)
    this.changed()
  }

  // Conversations

  go(talk: TalkID, remember = true, jump = 0) {
    if (talk !== this.open || jump) {
      this.open = talk
      this.jump = jump
      if (remember) history.pushState({ talk }, '')
      const h = this.histories.get(talk)
      if (talk && (!h || jump)) void this.load(talk, jump)
      else if (h) h.firstNew = this.firstNew(talk, h.list)
    }
    this.changed()
    this.markRead()
  }

  private unread(talk: TalkID): number {
    return this.talks.find((t) => t.talk === talk)?.unread ?? 0
  }

  private firstNew(talk: TalkID, list: Message[]): number {
    let left = this.unread(talk)
    if (!left) return 0
    for (let i = list.length - 1; i >= 0; i--) {
      const m = list[i]!
      if (m.from !== this.me.key && !m.note && --left === 0) return m.n
    }
    return 0
  }

  /** load asks for the newest messages, or for those around one. */
  async load(talk: TalkID, around = 0) {
    const old = this.histories.get(talk)
    const h: History = old ?? { list: [], whole: false, tail: true, loading: true, firstNew: 0 }
    h.loading = true
    this.histories.set(talk, h)
    await this.run(async () => {
      const list = await get<Message[]>('/api/history', { talk, before: around ? String(around + page / 2) : '0', count: String(page) })
      const first = list[0]?.n ?? 1
      const kept = around ? [] : h.list.filter((m) => m.n < first)
      h.list = kept.length && kept[kept.length - 1]!.n === first - 1 ? [...kept, ...list] : list
      this.bounds(h)
      h.tail = !around || list[list.length - 1]!.n >= (this.talks.find((t) => t.talk === talk)?.last?.n ?? 0)
      if (!old) h.firstNew = this.firstNew(talk, h.list)
    })
    h.loading = false
    this.changed()
    this.markRead()
  }

  private bounds(h: History) { h.whole = (h.list[0]?.n ?? 1) === 1 }

  /** more asks for the messages before those that are there, or after them. */
  async more(talk: TalkID, after = false) {
    const h = this.histories.get(talk)
    const first = h?.list[0], last = h?.list[h.list.length - 1]
    if (!h || h.loading || (after ? h.tail : h.whole) || !first || !last) return
    h.loading = true
    this.changed()
    await this.run(async () => {
      const before = String(after ? last.n + 1 + page : first.n)
      const list = await get<Message[]>('/api/history', { talk, before, count: String(page) })
      if (after) {
        const fresh = list.filter((m) => m.n > last.n)
        h.list = [...h.list, ...fresh]
        h.tail = fresh.length < page
      } else h.list = [...list, ...h.list]
      this.bounds(h)
    })
    h.loading = false
    this.changed()
  }

  private take(talk: TalkID, m: Message) {
    const h = this.histories.get(talk)
    if (h) {
      const last = h.list[h.list.length - 1]
      if (h.tail && (!last || m.n === last.n + 1)) {
        h.list = [...h.list, m]
        if (h.list.length > most) h.list = h.list.slice(-page)
        this.bounds(h)
      } else if (h.tail && last && m.n > last.n) void this.load(talk)
      else h.list = h.list.map((o) => (o.n === m.n ? m : o))
    }
    const row = this.talks.find((t) => t.talk === talk)
    const fresh = m.status === 'received' && (!row?.last || m.n > row.last.n)
    if (fresh && !m.note) {
      this.said = `${this.name(m.from)}: ${m.file ? `file ${m.file.name}` : (m.text ?? '').slice(0, 200)}`
      this.notify(talk, m)
    }
    this.changed()
    this.soon()
    this.markRead()
  }

  /** notify tells on the desktop who wrote; of people who are not known nothing but that. */
  private notify(talk: TalkID, m: Message) {
    const p = this.people.get(m.from), group = talk.startsWith('group:')
    const known = group || (p && !p.request && !p.met)
    const who = !known ? 'Somebody who is not known' : plain(this.name(m.from)) + (group ? ` in ${plain(this.title(talk))}` : '')
    notify(talk, m.id, who, m.file ? 'sent a file' : 'wrote', known && !m.file ? plain((m.text ?? '').slice(0, 200).replace(/\s+/g, ' ')) : '', () => this.go(talk))
  }

  markRead() {
    const talk = this.open
    const group = this.groups.get(talk)
    if (!talk || document.visibilityState !== 'visible' || !document.hasFocus() || (!this.unread(talk) && !group?.by)) return
    const row = this.talks.find((t) => t.talk === talk)
    const h = this.histories.get(talk)
    const last = h?.list[h.list.length - 1]
    if (!row || row.request || !h?.tail || !last || !row.last || last.n < row.last.n) return
    row.unread = 0
    delete group?.by
    void post('/api/read', { talk, n: last.n }).catch(() => undefined)
  }

  async send(talk: TalkID, text: string): Promise<boolean> {
    const reply = this.replyTo.get(talk)?.id
    const ok = await this.run(() => post('/api/send', { talk, text, ...(reply ? { reply } : {}) }))
    if (ok) {
      this.replyTo.delete(talk)
      const h = this.histories.get(talk)
      if (h) h.firstNew = 0
      this.changed()
    }
    return ok
  }

  async search(words: string) {
    this.words = words
    if (!words.trim()) this.found = null
    this.changed()
    if (!words.trim()) return
    await new Promise((r) => setTimeout(r, searchPause))
    if (this.words !== words) return
    try {
      const found = await get<Found[]>('/api/search', { words })
      if (this.words === words) this.found = found
    } catch {
      if (this.words === words) this.found = []
    }
    this.changed()
  }

  // Files

  isPicture(m: Message) { return !!m.file && picturePattern.test(m.file.name) }

  async look(talk: TalkID, m: Message) {
    if (m.from === this.me.key || this.progress.has(m.id)) return
    this.progress.set(m.id, { have: 0, done: false })
    try {
      const p = await get<Progress>('/api/progress', { from: m.from, id: m.id })
      this.progress.set(m.id, p)
      const known = this.people.get(m.from)
      const row = this.talks.find((t) => t.talk === talk)
      if (!p.done && this.isPicture(m) && m.file!.size <= fetchedAtOnce && known && !known.request && !known.met && !row?.request) {
        await post('/api/fetch', { talk, from: m.from, id: m.id, unasked: true })
      }
    } catch {
      // it can be asked for by hand
    }
    this.changed()
  }

  async fetchFile(talk: TalkID, m: Message) {
    await this.run(() => post('/api/fetch', { talk, from: m.from, id: m.id }))
  }

  private async fileMoved(id: string) {
    for (const h of this.histories.values()) {
      const m = h.list.find((x) => x.id === id)
      if (!m) continue
      try {
        this.progress.set(id, await get<Progress>('/api/progress', { from: m.from, id }))
        this.changed()
      } catch {
        // the next event tells
      }
      return
    }
  }

  upload(talk: TalkID, files: Iterable<File>) {
    for (const f of files) {
      const u: Upload = { n: ++this.uploadCount, talk, name: f.name || 'file', size: f.size, sent: 0, error: '', stop: new AbortController() }
      this.uploads = [...this.uploads, u]
      void this.carry(u, f)
    }
    this.changed()
  }

  /** carry sends a file piece by piece, each again after a break. */
  private async carry(u: Upload, f: File) {
    let id = ''
    try {
      if (f.size > this.me.maxFile) throw new Error('The file is too long.')
      id = (await post<{ id: string }>('/api/upload', { talk: u.talk, name: u.name, size: f.size })).id
      for (let tries = 0; u.sent < f.size; ) {
        try {
          const part = f.slice(u.sent, u.sent + this.me.piece)
          u.sent = (await put<{ offset: number }>(`/api/upload/${id}?offset=${u.sent}`, part, u.stop.signal)).offset
          tries = 0
        } catch (err) {
          if (!(err instanceof Failure) || (err.status && err.status !== 409) || ++tries > 5) throw err
          await new Promise((r) => setTimeout(r, 500 * tries))
          u.sent = (await get<{ offset: number }>(`/api/upload/${id}`)).offset
        }
        this.changed()
      }
      await post(`/api/upload/${id}`)
      this.endUpload(u)
    } catch (err) {
      if (id) void drop(`/api/upload/${id}`).catch(() => undefined)
      if (u.stop.signal.aborted) this.endUpload(u)
      else u.error = err instanceof Error ? sentence(err.message) : String(err)
      this.changed()
    }
  }

  endUpload(u: Upload) {
    u.stop.abort()
    this.uploads = this.uploads.filter((x) => x !== u)
    this.changed()
  }
}

/** sentence makes a message of the program one for people. */
export function sentence(s: string): string {
  s = s.charAt(0).toUpperCase() + s.slice(1)
  return /[.!?]$/.test(s) ? s : s + '.'
}

export const chat = new Chat()

/** useChat shows a component anew whenever something has changed. */
export function useChat(): Chat {
  const [, again] = useReducer((n: number) => n + 1, 0)
  useEffect(() => chat.listen(() => again(undefined)), [])
  return chat
}
