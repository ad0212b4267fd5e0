import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { ComponentChildren } from 'preact'
import { get, post } from './api'
import type { Group, Key, Link, TalkID } from './api'
import { chat, useChat } from './chat'
import { Icon } from './icons'
import { Devices, ExportHistory, NoticeChoice } from './own'
import { Identicon } from './identicon'
import { enter, Verified } from './sidebar'
import { dateTime, heardOf, plain, shortKey } from './text'
import { applyTheme, theme } from './theme'
import type { Theme } from './theme'

const close = () => {
  chat.show = null
  chat.changed()
}

export function Dialogs() {
  const c = useChat()
  switch (c.show?.kind) {
    case 'me': return <Me />
    case 'devices': return <Devices />
    case 'export': return <ExportHistory />
    case 'newPerson': return <NewPerson />
    case 'newGroup': return <NewGroup />
    case 'person': return <PersonDetails key={c.show.key} id={c.show.key} />
    case 'group': return <GroupDetails key={c.show.talk} talk={c.show.talk} />
  }
  return null
}

/** Dialog is modal: the browser keeps the focus in it, and gives it back. */
export function Dialog({ title, children }: { title: string; children: ComponentChildren }) {
  const c = useChat()
  const ref = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const d = ref.current!
    const from = document.activeElement as HTMLElement | null
    d.showModal()
    return () => {
      d.close()
      from?.focus()
    }
  }, [])
  return (
    <dialog ref={ref} aria-labelledby="dialogtitle" onCancel={(e) => { e.preventDefault(); close() }} onMouseDown={(e) => { if (e.target === ref.current) close() }}>
      <div class="sheet">
        <header><h2 id="dialogtitle">{title}</h2><button class="round" aria-label="Close" title="Close" onClick={close}><Icon name="close" /></button></header>
        {children}
        <div class="told" role="status">{c.toast && <div class="toast">{c.toast}</div>}</div>
      </div>
    </dialog>
  )
}

const copy = (text: string) => chat.run(async () => {
  await navigator.clipboard.writeText(text)
  chat.tell('Copied.')
})

function KeyText({ label, value }: { label: string; value: string }) {
  return (
    <div class="keytext">
      <span class="label">{label}</span>
      <code class={value.length > 150 ? 'one' : ''}>{value.match(/.{1,6}/g)?.join('\u200b')}</code>
      <button onClick={() => void copy(value)}><Icon name="copy" size={18} />Copy</button>
    </div>
  )
}

function Me() {
  const c = useChat()
  const [look, setLook] = useState<Theme>(theme())
  const out = async () => {
    await c.run(() => post('/api/leave'))
    close()
    await c.refresh()
  }
  return (
    <Dialog title="You">
      <div class="portrait"><Identicon id={c.me.key} size={96} /><p class="bigname">{c.me.name}</p></div>
      <KeyText label={`Your ${c.me.address === c.me.key ? 'key' : 'address'}: give it to people who want to write to you`} value={c.me.address} />
      <fieldset class="choice">
        <legend>Look</legend>
        {(['system', 'light', 'dark'] as const).map((t) => (
          <label><input type="radio" name="look" checked={look === t} onChange={() => { applyTheme(t); setLook(t) }} /><span>{{ system: 'System', light: 'Light', dark: 'Dark' }[t]}</span></label>
        ))}
      </fieldset>
      <NoticeChoice />
      <div class="buttons">
        <button onClick={() => { c.show = { kind: 'devices' }; c.changed() }}>Your devices</button>
        <button onClick={() => { c.show = { kind: 'export' }; c.changed() }}>Export the history</button>
      </div>
      <div class="buttons"><button onClick={() => void out()}>Sign out of this browser</button></div>
    </Dialog>
  )
}

interface FieldProps { label: string; value: string; set: (s: string) => void; hint?: string; problem?: string; max: number; mono?: boolean; focus?: boolean; secret?: boolean }

export function Field({ label, value, set, hint, problem, max, mono, focus, secret }: FieldProps) {
  const id = 'f-' + label.replace(/\W/g, '')
  const kind = secret ? { type: 'password', autocomplete: 'new-password' } as const : { autocomplete: 'off' } as const
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input id={id} class={mono ? 'mono' : ''} value={value} maxLength={max} {...kind} spellcheck={false} autofocus={focus}
        aria-describedby={id + '-d'} aria-invalid={problem ? 'true' : undefined} onInput={(e) => set(e.currentTarget.value)} />
      <p id={id + '-d'} class={problem ? 'problem' : 'hint'} role={problem ? 'alert' : undefined}>{problem || hint}</p>
    </div>
  )
}

const isAddress = (s: string) => /^0[23][0-9a-f]{64}(\/.*)?$/i.test(s.trim())

function NewPerson() {
  const c = useChat()
  const [key, setKey] = useState(''), [name, setName] = useState(''), [problem, setProblem] = useState('')
  const submit = async (e: Event) => {
    e.preventDefault()
    if (!isAddress(key)) return setProblem('A key is 66 characters 0 to 9 and a to f; it begins with 02 or 03.')
    try {
      const { key: k } = await post<{ key: Key }>('/api/contact', { address: key.trim(), name: name.trim() })
      await c.refresh()
      close()
      enter(k)
    } catch (err) {
      setProblem((err as Error).message)
    }
  }
  return (
    <Dialog title="New contact">
      <form onSubmit={(e) => void submit(e)}>
        <Field label="Key" value={key} set={(s) => { setKey(s); setProblem('') }} problem={problem} hint="Their key or address: they find it in their own page, or with tell ID key." max={2000} mono focus />
        <Field label="Name" value={name} set={setName} hint="What you call them. Nobody else learns it." max={64} />
        <div class="buttons"><button type="button" onClick={close}>Cancel</button><button class="primary" type="submit">Add</button></div>
      </form>
    </Dialog>
  )
}

/** usable are the people who can be asked into a group. */
const usable = () => [...chat.people.values()].filter((p) => !p.request && !p.met && !p.blocked)

function Choose({ chosen, set, without }: { chosen: Set<Key>; set: (s: Set<Key>) => void; without: Set<Key> }) {
  const [find, setFind] = useState('')
  const list = usable().filter((p) => !without.has(p.key))
  const shown = list.filter((p) => (p.name || p.key).toLowerCase().includes(find.toLowerCase()))
  if (!list.length) return <p class="hint">There is nobody to add: add contacts first.</p>
  return (
    <fieldset class="people">
      <legend>Add people</legend>
      {list.length > 8 && <input type="search" aria-label="Find people" placeholder="Find people" value={find} onInput={(e) => setFind(e.currentTarget.value)} />}
      <div class="peoplelist">
        {shown.slice(0, 200).map((p) => (
          <label key={p.key}>
            <input type="checkbox" checked={chosen.has(p.key)} onChange={(e) => {
              const next = new Set(chosen)
              e.currentTarget.checked ? next.add(p.key) : next.delete(p.key)
              set(next)
            }} />
            <Identicon id={p.key} size={30} /><bdi>{plain(p.name) || shortKey(p.key)}</bdi>
          </label>
        ))}
      </div>
    </fieldset>
  )
}

const add = async (talk: TalkID, keys: Iterable<Key>) => {
  for (const key of keys) await post('/api/change', { talk, act: 'add', key })
}

function NewGroup() {
  const c = useChat()
  const [name, setName] = useState(''), [problem, setProblem] = useState(''), [chosen, setChosen] = useState(new Set<Key>())
  const submit = async (e: Event) => {
    e.preventDefault()
    if (!name.trim()) return setProblem('The group needs a name.')
    try {
      const { talk } = await post<{ talk: TalkID }>('/api/group', { name: name.trim() })
      await add(talk, chosen)
      await c.refresh()
      close()
      enter(talk)
    } catch (err) {
      setProblem((err as Error).message)
    }
  }
  return (
    <Dialog title="New group">
      <form onSubmit={(e) => void submit(e)}>
        <Field label="Name" value={name} set={(s) => { setName(s); setProblem('') }} problem={problem} hint="All members see it." max={64} focus />
        <Choose chosen={chosen} set={setChosen} without={new Set()} />
        <div class="buttons"><button type="button" onClick={close}>Cancel</button><button class="primary" type="submit">Create</button></div>
      </form>
      {c.me.links && <JoinByLink />}
    </Dialog>
  )
}

function JoinByLink() {
  const [link, setLink] = useState(''), [problem, setProblem] = useState('')
  const submit = async (e: Event) => {
    e.preventDefault()
    try {
      await post('/api/join', { link: link.trim() })
      chat.tell('Asked to join: the group appears when a member’s program has answered.')
      close()
    } catch (err) {
      setProblem((err as Error).message)
    }
  }
  return (
    <form class="apart" onSubmit={(e) => void submit(e)}>
      <Field label="Or join by a link" value={link} set={(s) => { setLink(s); setProblem('') }} problem={problem} hint="A link that a member of the group gave you." max={1000} mono />
      <div class="buttons"><button type="submit">Join</button></div>
    </form>
  )
}

function Rename({ name, what, save }: { name: string; what: string; save: (s: string) => Promise<unknown> }) {
  const [value, setValue] = useState(name)
  useEffect(() => setValue(name), [name])
  const submit = (e: Event) => {
    e.preventDefault()
    void chat.run(async () => {
      await save(value.trim())
      await chat.refresh()
      chat.tell('Saved.')
    })
  }
  return (
    <form class="inline" onSubmit={submit}>
      <Field label={what} value={value} set={setValue} max={64} />
      <button type="submit" aria-disabled={!value.trim() || value.trim() === name}>Save</button>
    </form>
  )
}

function PersonDetails({ id }: { id: Key }) {
  const c = useChat()
  const [number, setNumber] = useState('')
  const p = c.people.get(id)
  useEffect(() => void get<{ number: string }>('/api/safety', { key: id }).then((r) => setNumber(r.number), () => undefined), [id])
  const act = (a: string, name = '') => c.run(async () => {
    await post('/api/person', { key: id, act: a, name })
    await c.refresh()
  })
  const known = p && !p.met && !p.request
  return (
    <Dialog title="Contact">
      <div class="portrait">
        <Identicon id={id} size={96} />
        <p class="bigname"><bdi>{plain(p?.name ?? '') || shortKey(id)}</bdi>{p?.verified && <Verified />}</p>
        <p class="hint">{p?.blocked ? 'Blocked' : heardOf(p?.heard)}{p?.devices ? `, ${p.devices} ${p.devices === 1 ? 'device' : 'devices'}` : ''}</p>
      </div>
      <Rename name={p?.name ?? ''} what="Name" save={(name) => post('/api/person', { key: id, act: 'add', name })} />
      <KeyText label="Key" value={id} />
      <section class="safety" aria-labelledby="safetyhead">
        <h3 id="safetyhead">Safety number</h3>
        <p class="hint">If you both see the same digits, nobody is between you. Compare them in person or by a call.</p>
        <p class="digits">{number.split(' ').map((d) => <span>{d}</span>)}</p>
        {p && <label class="check"><input type="checkbox" checked={!!p.verified} onChange={(e) => void act(e.currentTarget.checked ? 'verify' : 'unverify')} />We have compared it</label>}
      </section>
      <div class="buttons">
        {p && <Sure text="Delete contact and conversation" ask="Delete for good?" act={() => void act('forget').then((ok) => { if (ok) { close(); c.go('') } })} />}
        {p?.blocked ? <button onClick={() => void act('unblock')}>Unblock</button>
          : <Sure text="Block" ask="Block this person?" act={() => void act('block')} />}
        {!p?.blocked && <button class="primary" onClick={() => { close(); enter(id) }}>{known ? 'Write' : 'Add and write'}</button>}
      </div>
    </Dialog>
  )
}

/** Sure is a button that asks once more. */
export function Sure({ text, ask, act }: { text: string; ask: string; act: () => void }) {
  const [asked, setAsked] = useState(false)
  return <button class="danger" onBlur={() => setAsked(false)} onClick={() => (asked ? act() : setAsked(true))}>{asked ? ask : text}</button>
}

function GroupDetails({ talk }: { talk: TalkID }) {
  const c = useChat()
  const g = c.groups.get(talk)
  if (!g) return null
  return <Members g={g} />
}

function Members({ g }: { g: Group }) {
  const c = useChat()
  const [chosen, setChosen] = useState(new Set<Key>())
  const admin = g.role === 'admin'
  const change = (act: string, rest: object = {}) => c.run(async () => {
    await post('/api/change', { talk: g.talk, act, ...rest })
    await c.refresh()
  })
  const asking = c.asking.filter((a) => a.talk === g.talk)
  return (
    <Dialog title="Group">
      <div class="portrait">
        <Identicon id={g.talk} size={96} />
        <p class="bigname"><bdi>{plain(g.name)}</bdi></p>
        <p class="hint">{g.members.length} {g.members.length === 1 ? 'member' : 'members'}{admin ? ', you are an admin' : ''}</p>
      </div>
      {admin && <Rename name={g.name} what="Name" save={(name) => post('/api/change', { talk: g.talk, act: 'rename', name })} />}
      <h3>Members</h3>
      <ul class="members">
        {g.members.map((m) => (
          <li key={m.key}>
            <Identicon id={m.key} size={34} />
            <span class="membername"><bdi>{plain(c.name(m.key))}</bdi>{m.admin && <span class="tag">admin</span>}</span>
            {m.key !== c.me.key && <button class="small" aria-label={`About ${plain(c.name(m.key))}`} title="About" onClick={() => { c.show = { kind: 'person', key: m.key }; c.changed() }}><Icon name="info" size={18} /></button>}
            {admin && m.key !== c.me.key && <>
              <button onClick={() => void change(m.admin ? 'demote' : 'promote', { key: m.key })}
                aria-label={`${m.admin ? 'Make no admin: ' : 'Make admin: '}${plain(c.name(m.key))}`}>{m.admin ? 'No admin' : 'Make admin'}</button>
              <Sure text="Remove" ask="Sure?" act={() => void change('remove', { key: m.key })} />
            </>}
          </li>
        ))}
      </ul>
      {admin && <>
        <Choose chosen={chosen} set={setChosen} without={new Set(g.members.map((m) => m.key))} />
        {chosen.size > 0 && <div class="buttons"><button class="primary" onClick={() => void c.run(() => add(g.talk, chosen)).then(() => { setChosen(new Set()); return c.refresh() })}>Add {chosen.size}</button></div>}
        {asking.length > 0 && <h3>Ask to join</h3>}
        {asking.length > 0 && <ul class="members">
          {asking.map((a) => (
            <li key={a.key}>
              <Identicon id={a.key} size={34} />
              <span class="membername"><bdi>{plain(c.name(a.key))}</bdi></span>
              <button onClick={() => void change('admit', { key: a.key })}>Let in</button>
              <button onClick={() => void change('refuse', { key: a.key })}>Refuse</button>
            </li>
          ))}
        </ul>}
        {c.me.links && <Links talk={g.talk} />}
      </>}
      {g.role !== 'left' && <div class="buttons"><Sure text="Leave the group" ask="Leave for good?" act={() => void change('leave').then((ok) => ok && close())} /></div>}
    </Dialog>
  )
}

const lives: [string, number][] = [['a day', 24], ['a week', 7 * 24], ['30 days', 30 * 24]]

/** Links are a group's invitations: whoever has the text may join, or ask to. */
function Links({ talk }: { talk: TalkID }) {
  const c = useChat()
  const [list, setList] = useState<Link[]>([])
  const [hours, setHours] = useState(7 * 24), [people, setPeople] = useState(10), [ask, setAsk] = useState(false)
  const g = c.groups.get(talk)
  const load = () => void get<Link[]>('/api/links', { talk }).then(setList, () => undefined)
  useEffect(load, [talk, g])
  const make = (e: Event) => {
    e.preventDefault()
    void c.run(async () => {
      await post('/api/link', { talk, hours, people, ask })
      load()
    })
  }
  const revoke = (key: Key) => void c.run(async () => {
    await post('/api/change', { talk, act: 'revoke', key })
    load()
  })
  return (
    <section class="links" aria-labelledby="linkshead">
      <h3 id="linkshead">Links to join</h3>
      {list.map((l) => (
        <div key={l.key}>
          {l.text ? <KeyText label={aboutLink(l)} value={l.text} /> : <p class="hint">{aboutLink(l)}; another admin has its text</p>}
          <div class="buttons"><Sure text="Revoke" ask="Sure?" act={() => revoke(l.key)} /></div>
        </div>
      ))}
      <form class="newlink" onSubmit={make}>
        <label>For <select value={String(hours)} onChange={(e) => setHours(Number(e.currentTarget.value))}>{lives.map(([name, h]) => <option value={String(h)}>{name}</option>)}</select></label>
        <label>and <input type="number" min={1} max={100} value={people} onInput={(e) => setPeople(Number(e.currentTarget.value) || 1)} /> people</label>
        <label class="check"><input type="checkbox" checked={ask} onChange={(e) => setAsk(e.currentTarget.checked)} />an admin lets each in</label>
        <button type="submit"><Icon name="link" size={18} />Make a link</button>
      </form>
    </section>
  )
}

const aboutLink = (l: Link) => `Until ${dateTime(l.expiry)}, for ${l.uses} ${l.uses === 1 ? 'person' : 'people'}${l.ask ? ', who ask' : ''}`
