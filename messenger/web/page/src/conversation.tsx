import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { chat, useChat } from './chat'
import type { History } from './chat'
import { post } from './api'
import type { Message, TalkID } from './api'
import { Composer } from './composer'
import { Icon } from './icons'
import { Identicon } from './identicon'
import { MessageRow } from './message'
import { stop } from './roving'
import { Verified } from './sidebar'
import { dayOf, heardOf, plain, sameDay, shortKey } from './text'

const near = 80 // pixels from the end that count as the end
const apart = 5 * 60_000 // milliseconds after which a name stands again

export function Conversation() {
  const c = useChat()
  const [dragging, setDragging] = useState(false)
  if (!c.open) return <Welcome />
  const talk = c.open
  const mayWrite = writable(talk)
  const drop = (e: DragEvent) => {
    e.preventDefault()
    setDragging(false)
    if (mayWrite && e.dataTransfer?.files.length) c.upload(talk, e.dataTransfer.files)
  }
  return (
    <main class="talk" id="conversation" tabIndex={-1} aria-label={`Conversation with ${c.title(talk)}`}
      onDragOver={(e) => { if (e.dataTransfer?.types.includes('Files')) { e.preventDefault(); setDragging(true) } }}
      onDragLeave={(e) => { if (!e.currentTarget.contains(e.relatedTarget as Node | null)) setDragging(false) }}
      onDrop={drop}>
      <Head talk={talk} />
      <Messages key={talk} talk={talk} />
      <Foot talk={talk} />
      {dragging && mayWrite && <div class="dropzone" aria-hidden="true"><Icon name="clip" size={40} />Drop files to send them</div>}
    </main>
  )
}

function Welcome() {
  const c = useChat()
  return (
    <main class="talk welcome" id="conversation" tabIndex={-1} aria-label="No conversation chosen">
      {c.phase === 'loading' ? <p>Loading…</p> : <>
        <Icon name="shield" size={56} />
        <h1>Pick a conversation</h1>
        <p>Messages are encrypted from device to device. The messenger that carries them sees mailboxes, sizes and times; the history is on this machine only.</p>
        <p class="keys"><kbd>Ctrl</kbd> <kbd>K</kbd> searches, arrow keys move within lists, <kbd>Esc</kbd> closes.</p>
      </>}
    </main>
  )
}

function writable(talk: TalkID): boolean {
  const g = chat.groups.get(talk)
  if (talk.startsWith('group:')) return !!g && g.role !== 'left'
  const p = chat.people.get(talk)
  return !p?.blocked && !p?.request
}

function Head({ talk }: { talk: TalkID }) {
  const c = useChat()
  const g = c.groups.get(talk)
  const p = c.people.get(talk)
  const about = g ? g.members.map((m) => c.name(m.key)).join(', ') : p?.blocked ? 'Blocked' : heardOf(p?.heard)
  const details = () => {
    c.show = g ? { kind: 'group', talk } : { kind: 'person', key: talk }
    c.changed()
  }
  return (
    <header class="talkhead">
      <button class="round back" aria-label="Back to the list" onClick={() => c.go('')}><Icon name="back" /></button>
      <Identicon id={talk} size={42} />
      <div class="headtext">
        <h1><bdi>{plain(c.title(talk))}</bdi>{p?.verified && <Verified />}</h1>
        <p class="about">{recently(p?.heard) && <span class="dot" aria-hidden="true" />}<bdi>{plain(about)}</bdi></p>
      </div>
      <button class="round" title="Details" aria-label={g ? 'Group details' : 'Contact details'} onClick={details}><Icon name="info" /></button>
    </header>
  )
}

const recently = (t: string | undefined) => !!t && Date.now() - new Date(t).getTime() < 120_000

function Messages({ talk }: { talk: TalkID }) {
  const c = useChat()
  const box = useRef<HTMLDivElement>(null)
  const stick = useRef(true) // the end stays in view
  const before = useRef({ first: 0, height: 0 })
  const [active, setActive] = useState(0)
  const [away, setAway] = useState(false)
  const h = c.histories.get(talk)
  const list = h?.list ?? []
  const first = list[0]?.n ?? 0, last = list[list.length - 1]

  useLayoutEffect(() => {
    const el = box.current
    if (!el) return
    const was = before.current
    before.current = { first, height: el.scrollHeight }
    if (c.jump) {
      const n = c.jump
      const row = el.querySelector<HTMLElement>(`[data-n="${n}"]`)
      if (row) {
        c.jump = 0
        stick.current = false
        row.scrollIntoView({ block: 'center' })
        row.classList.add('lit')
        setTimeout(() => row.classList.remove('lit'), 2000)
        setActive(n)
        return
      }
      if (h && !h.loading && first && n < first) void c.load(talk, n)
    } else if (was.first && first && first < was.first) el.scrollTop += el.scrollHeight - was.height
    else if (stick.current) el.scrollTop = el.scrollHeight
  })

  useEffect(() => { // pictures that come, a composer that grows
    const el = box.current
    const inner = el?.firstElementChild
    if (!el || !inner) return
    const o = new ResizeObserver(() => { if (stick.current) el.scrollTop = el.scrollHeight })
    o.observe(inner)
    o.observe(el)
    return () => o.disconnect()
  }, [])

  useEffect(() => { // what we write is seen
    if (last && last.from === c.me.key && h?.tail) {
      stick.current = true
      if (box.current) box.current.scrollTop = box.current.scrollHeight
    }
  }, [last?.id])

  const scrolled = (e: { currentTarget: HTMLElement }) => {
    const el = e.currentTarget
    const end = el.scrollHeight - el.scrollTop - el.clientHeight
    stick.current = end < near && !!h?.tail
    setAway(end > 400 || !h?.tail)
    if (el.scrollTop < 300) void c.more(talk)
    if (end < 200 && h && !h.tail) void c.more(talk, true)
  }
  const key = (e: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const items = [...e.currentTarget.querySelectorAll<HTMLElement>('.line')]
    const at = items.findIndex((i) => i.contains(document.activeElement))
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: items.length - 1 }[e.key]
    if (e.key === 'Escape') document.getElementById('compose')?.focus()
    if (to === undefined || at < 0 || !items[to]) return
    e.preventDefault()
    stop(items, items[to])
    items[to].focus()
    setActive(Number(items[to].dataset.n))
  }
  const down = () => {
    stick.current = true
    if (h && !h.tail) void c.load(talk)
    else if (box.current) box.current.scrollTop = box.current.scrollHeight
  }
  const stopAt = list.some((m) => m.n === active) ? active : (last?.n ?? 0)
  return (
    <div class="messages">
      <div class="scroll" ref={box} onScroll={scrolled} tabIndex={-1}>
        <div>
          {h && !h.whole && <p class="empty" role="status">{h.loading ? 'Loading…' : ''}</p>}
          {h?.whole && !list.length && !h.loading && <p class="empty">No messages yet. Say hello.</p>}
          <ol class="lines" aria-label="Messages" onKeyDown={key}>{h && rows(talk, h, stopAt)}</ol>
        </div>
      </div>
      {away && <button class="toend" aria-label="To the newest message" title="To the newest message" onClick={down}><Icon name="end" /></button>}
    </div>
  )
}

function rows(talk: TalkID, h: History, active: number) {
  const out = []
  const group = talk.startsWith('group:')
  const byID = new Map(h.list.map((m) => [m.id, m]))
  let last: Message | undefined
  for (const m of h.list) {
    if (!last || !sameDay(last.at, m.at)) out.push(<li key={'d' + m.n} class="day"><span>{dayOf(m.at)}</span></li>)
    if (m.n === h.firstNew) out.push(<li key={'new' + m.n} class="fresh"><span>New messages</span></li>)
    const first = !last || last.note || last.from !== m.from || Date.parse(m.at) - Date.parse(last.at) > apart || !sameDay(last.at, m.at)
    out.push(<MessageRow key={m.n} talk={talk} m={m} first={!!first} group={group} quoted={m.reply ? byID.get(m.reply) : undefined} active={m.n === active} />)
    last = m
  }
  return out
}

function Foot({ talk }: { talk: TalkID }) {
  const c = useChat()
  const p = c.people.get(talk)
  const act = (act: string) => c.run(() => post('/api/person', { key: talk, act }))
  if (p?.request) {
    return (
      <footer class="decide">
        <p><b><bdi>{plain(p.name) || shortKey(p.key)}</bdi></b> is not among your contacts. They do not learn whether you have read this until you accept.</p>
        <button class="primary" onClick={() => void act('add')}>Accept</button>
        <button onClick={() => void act('block').then((ok) => ok && c.go(''))}>Block</button>
        <button onClick={() => void act('forget').then((ok) => ok && c.go(''))}>Delete</button>
      </footer>
    )
  }
  if (p?.blocked) {
    return <footer class="decide"><p>You have blocked this person.</p><button onClick={() => void act('unblock')}>Unblock</button></footer>
  }
  if (!writable(talk)) return <footer class="decide"><p>You are not in this group any more.</p></footer>
  return <Composer key={talk} talk={talk} />
}
