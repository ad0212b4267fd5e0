import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { chat, useChat } from './chat'
import { post } from './api'
import type { Found, Group, Message, Person, Talk } from './api'
import { Icon } from './icons'
import { Identicon } from './identicon'
import { rove } from './roving'
import { heardOf, plain, shortKey, whenOf } from './text'
import { noteText, StatusMark } from './message'

type Tab = 'talks' | 'people' | 'requests'
const shown = 300 // rows of a list at most

const narrowQuery = matchMedia('(max-width: 720px)') // as in style.css

/** useNarrow: only the list or the conversation is shown, as on a phone. */
function useNarrow(): boolean {
  const [narrow, set] = useState(narrowQuery.matches)
  useEffect(() => {
    const changed = () => set(narrowQuery.matches)
    narrowQuery.addEventListener('change', changed)
    return () => narrowQuery.removeEventListener('change', changed)
  }, [])
  return narrow
}

export function Sidebar() {
  const c = useChat()
  const [tab, setTab] = useState<Tab>('talks')
  const search = useRef<HTMLInputElement>(null)
  const narrow = useNarrow()
  const Title = narrow ? 'h1' : 'h2'
  const requests = c.talks.filter((t) => t.request)
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if ((e.ctrlKey || e.metaKey) && e.key === 'k') {
        e.preventDefault()
        if (chat.open && narrowQuery.matches) chat.go('')
        search.current?.focus() // what is typed next goes there
        requestAnimationFrame(() => search.current?.focus()) // on a narrow screen the list has to be shown first
      }
    }
    addEventListener('keydown', key)
    return () => removeEventListener('keydown', key)
  }, [])
  return (
    <div class="side" role={narrow ? 'main' : 'complementary'} aria-label="Conversations and people">
      <Title class="hidden">Chat of {c.me.name}</Title>
      <div class="sidehead">
        <button class="who" onClick={() => { c.show = { kind: 'me' }; c.changed() }} aria-label={`You are ${c.me.name}: your key, devices, export, look, sign out`}>
          {c.me.key && <Identicon id={c.me.key} size={38} />}
          <span class="whoname">{c.me.name}</span>
        </button>
        <button class="round" title="New group" aria-label="New group" onClick={() => { c.show = { kind: 'newGroup' }; c.changed() }}><Icon name="group" /></button>
        <button class="round" title="New contact" aria-label="New contact" onClick={() => { c.show = { kind: 'newPerson' }; c.changed() }}><Icon name="personAdd" /></button>
      </div>
      <div class="searchbox" role="search">
        <Icon name="search" size={18} />
        <input ref={search} type="search" placeholder="Search people and messages" aria-label="Search people and messages" value={c.words}
          maxLength={100} onInput={(e) => void c.search(e.currentTarget.value)}
          onKeyDown={(e) => { if (e.key === 'Escape' && c.words) { e.preventDefault(); e.stopPropagation(); void c.search('') } }} />
      </div>
      {c.words.trim()
        ? <Results />
        : <>
            <Tabs tab={tab} set={setTab} requests={requests.length + c.asking.length} />
            <div class="scroll" role="tabpanel" id="panel" aria-labelledby={'tab-' + tab} tabIndex={-1}>
              {tab === 'talks' && <Talks list={c.talks.filter((t) => !t.request)} empty="No conversations yet. Add a contact by key, or begin a group." />}
              {tab === 'people' && <People list={[...c.people.values()].filter((p) => !p.request && !p.met)} />}
              {tab === 'requests' && <Waiting />}
              {tab === 'requests' && <Talks list={requests} empty="Nobody unknown has written. Whoever does waits here until you decide." />}
            </div>
          </>}
    </div>
  )
}

function Tabs({ tab, set, requests }: { tab: Tab; set: (t: Tab) => void; requests: number }) {
  const list: [Tab, string][] = [['talks', 'Chats'], ['people', 'People'], ['requests', 'Requests']]
  const key = (e: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const at = list.findIndex(([t]) => t === tab)
    const to = e.key === 'ArrowRight' ? at + 1 : e.key === 'ArrowLeft' ? at - 1 : -1
    const next = list[(to + list.length) % list.length]
    if ((e.key !== 'ArrowRight' && e.key !== 'ArrowLeft') || !next) return
    e.preventDefault()
    set(next[0])
    e.currentTarget.querySelector<HTMLElement>('#tab-' + next[0])?.focus()
  }
  return (
    <div class="tabs" role="tablist" aria-label="What to list" onKeyDown={key}>
      {list.map(([t, label]) => (
        <button role="tab" id={'tab-' + t} aria-selected={tab === t} aria-controls="panel" tabIndex={tab === t ? 0 : -1} onClick={() => set(t)}>
          {label}{t === 'requests' && requests > 0 && <span class="badge">{requests}<span class="hidden"> waiting</span></span>}
        </button>
      ))}
    </div>
  )
}

/** Waiting are people who ask to join groups of ours, and groups that we have asked to join. */
function Waiting() {
  const c = useChat()
  if (!c.asking.length && !c.joining.length) return null
  return (
    <Rows label="Groups to join">
      {c.asking.map((a) => (
        <li key={a.talk + a.key}>
          <button class="row" tabIndex={-1} onClick={() => { c.show = { kind: 'group', talk: a.talk }; c.changed() }}>
            <Identicon id={a.key} size={42} />
            <span class="rowtext"><span class="rowtop"><bdi class="rowname">{plain(c.name(a.key))}</bdi></span><span class="rowlast"><bdi>asks to join {plain(c.title(a.talk))}</bdi></span></span>
          </button>
        </li>
      ))}
      {c.joining.map((j) => (
        <li key={j.talk} class="waiting">
          <Identicon id={j.talk} size={42} />
          <span class="rowtext"><span class="rowname">A group</span><span class="rowlast">waits for <bdi>{plain(c.name(j.inviter))}</bdi></span></span>
          <button onClick={() => void c.run(async () => { await post('/api/change', { talk: j.talk, act: 'cancel' }); await c.refresh() })}>Cancel</button>
        </li>
      ))}
    </Rows>
  )
}

/** Rows is a list with one stop of the Tab key. */
function Rows({ label, children }: { label: string; children: preact.ComponentChildren }) {
  const ref = useRef<HTMLUListElement>(null)
  useLayoutEffect(() => {
    const items = [...(ref.current?.querySelectorAll<HTMLElement>('.row') ?? [])]
    if (items.length && !items.some((i) => i.tabIndex === 0)) items[0]!.tabIndex = 0
  })
  return <ul class="rows" ref={ref} aria-label={label} onKeyDown={(e) => rove(e, e.currentTarget, '.row')}>{children}</ul>
}

function lastWords(m: Message | undefined, group: boolean): string {
  if (!m) return 'No messages yet'
  if (m.note) return noteText(m)
  const who = m.from === chat.me.key ? 'You: ' : group ? `${plain(chat.name(m.from))}: ` : ''
  return who + (m.file ? `📎 ${plain(m.file.name)}` : (m.text ?? '').slice(0, 120))
}

function Talks({ list, empty }: { list: Talk[]; empty: string }) {
  const c = useChat()
  if (!list.length) return <p class="empty">{c.phase === 'loading' ? 'Loading…' : empty}</p>
  return (
    <Rows label="Conversations">
      {list.slice(0, shown).map((t) => (
        <li key={t.talk}>
          <button class="row" aria-current={c.open === t.talk ? 'true' : undefined} tabIndex={-1} onClick={() => enter(t.talk)}>
            <Identicon id={t.talk} size={46} />
            <span class="rowtext">
              <span class="rowtop">
                <bdi class="rowname">{plain(c.title(t.talk))}</bdi>
                {c.people.get(t.talk)?.verified && <Verified />}
                <time dateTime={t.time}>{t.last ? whenOf(t.last.at) : ''}</time>
              </span>
              <span class="rowlast">
                {t.last && !t.last.note && t.last.from === c.me.key && <StatusMark m={t.last} />}
                <bdi>{c.groups.get(t.talk)?.by ? <span class="tag">new</span> : ''} {lastWords(t.last, t.talk.startsWith('group:'))}</bdi>
                {t.unread > 0 && <span class="badge">{t.unread > 999 ? '999+' : t.unread}<span class="hidden"> unread</span></span>}
              </span>
            </span>
          </button>
        </li>
      ))}
    </Rows>
  )
}

/** enter opens a conversation and puts the focus where one writes. */
export function enter(talk: string, jump = 0) {
  chat.go(talk, true, jump)
  requestAnimationFrame(() => (document.getElementById('compose') ?? document.getElementById('conversation'))?.focus())
}

export const Verified = () => <span class="verified" title="Safety number compared"><Icon name="shield" size={16} /><span class="hidden">verified</span></span>

function People({ list }: { list: Person[] }) {
  if (!list.length) return <p class="empty">No contacts yet. Ask somebody for their key, and add it.</p>
  return (
    <Rows label="People">
      {list.slice(0, shown).map((p) => <PersonRow key={p.key} p={p} />)}
      {list.length > shown && <li class="empty">And {list.length - shown} more: search for them.</li>}
    </Rows>
  )
}

function PersonRow({ p }: { p: Person }) {
  return (
    <li>
      <button class="row" tabIndex={-1} onClick={() => (p.blocked ? (chat.show = { kind: 'person', key: p.key }, chat.changed()) : enter(p.key))}>
        <Identicon id={p.key} size={42} />
        <span class="rowtext">
          <span class="rowtop"><bdi class="rowname">{plain(p.name) || shortKey(p.key)}</bdi>{p.verified && <Verified />}</span>
          <span class="rowlast">{p.blocked ? 'Blocked' : heardOf(p.heard)}</span>
        </span>
      </button>
    </li>
  )
}

function Results() {
  const c = useChat()
  const words = c.words.trim().toLowerCase()
  const people = [...c.people.values()].filter((p) => !p.request && (p.name.toLowerCase().includes(words) || p.key.startsWith(words)))
  const groups = [...c.groups.values()].filter((g) => g.name.toLowerCase().includes(words))
  const found = c.found
  const nothing = found && !found.length && !people.length && !groups.length
  return (
    <div class="scroll" id="results" role="region" aria-label="Search results">
      <p class="hidden" role="status">{found ? `${people.length + groups.length} people and groups, ${found.length} messages found` : 'Searching'}</p>
      {nothing && <p class="empty">Nothing found for “{c.words.trim()}”.</p>}
      {people.length + groups.length > 0 && <h2 class="listhead">People and groups</h2>}
      {people.length + groups.length > 0 && (
        <Rows label="People and groups found">
          {groups.slice(0, 50).map((g) => <GroupRow key={g.talk} g={g} />)}
          {people.slice(0, 50).map((p) => <PersonRow key={p.key} p={p} />)}
        </Rows>
      )}
      {found && found.length > 0 && <h2 class="listhead">Messages</h2>}
      {found && found.length > 0 && <Rows label="Messages found">{found.map((f) => <FoundRow key={f.talk + f.message.n} f={f} />)}</Rows>}
    </div>
  )
}

function GroupRow({ g }: { g: Group }) {
  return (
    <li>
      <button class="row" tabIndex={-1} onClick={() => enter(g.talk)}>
        <Identicon id={g.talk} size={42} />
        <span class="rowtext"><span class="rowtop"><bdi class="rowname">{plain(g.name)}</bdi></span><span class="rowlast">{g.members.length} members</span></span>
      </button>
    </li>
  )
}

function FoundRow({ f }: { f: Found }) {
  const text = f.message.file ? plain(f.message.file.name) : (f.message.text ?? '')
  const words = chat.words.trim()
  const at = text.toLowerCase().indexOf(words.toLowerCase())
  const from = Math.max(0, at - 30)
  return (
    <li>
      <button class="row" tabIndex={-1} onClick={() => enter(f.talk, f.message.n)}>
        <Identicon id={f.talk} size={42} />
        <span class="rowtext">
          <span class="rowtop"><bdi class="rowname">{plain(chat.title(f.talk))}</bdi><time dateTime={f.message.at}>{whenOf(f.message.at)}</time></span>
          <span class="rowlast"><bdi>{chat.name(f.message.from)}: {from > 0 && '…'}{at < 0 ? text.slice(0, 100)
            : <>{text.slice(from, at)}<mark>{text.slice(at, at + words.length)}</mark>{text.slice(at + words.length, at + 100)}</>}</bdi></span>
        </span>
      </button>
    </li>
  )
}
