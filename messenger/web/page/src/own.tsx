// What concerns the person's own devices, history and desktop.
import { useEffect, useState } from 'preact/hooks'
import { get, post } from './api'
import type { Device } from './api'
import { chat, sentence, useChat } from './chat'
import { Dialog, Field, Sure } from './dialogs'
import { Icon } from './icons'
import { notices, setNotices } from './notify'
import type { Notices } from './notify'
import { dateTime, plain } from './text'

/** NoticeChoice asks the browser for notices when its button is pressed, and never else. */
export function NoticeChoice() {
  const [how, setHow] = useState<Notices>(notices())
  const set = (n: Notices) => void setNotices(n).then((ok) => {
    setHow(notices())
    if (!ok) chat.tell('The browser does not allow notices of this page.')
  })
  return (
    <section aria-labelledby="noticehead">
      <h3 id="noticehead">Notices on the desktop</h3>
      <p class="hint">While this page is open but not in front. They say who wrote. The desktop may keep what they say.</p>
      {how === 'off'
        ? <button onClick={() => set('names')}>Tell me of new messages</button>
        : <>
            <label class="check"><input type="checkbox" checked={how === 'text'} onChange={(e) => set(e.currentTarget.checked ? 'text' : 'names')} />With the text</label>
            <button onClick={() => set('off')}>No more notices</button>
          </>}
    </section>
  )
}

/** ExportForm asks for a passphrase, has an export made, and saves it. The passphrase goes to the program only, and stays nowhere. */
function ExportForm({ withKey, button }: { withKey: boolean; button: string }) {
  const [word, setWord] = useState(''), [again, setAgain] = useState(''), [problem, setProblem] = useState(''), [busy, setBusy] = useState(false)
  const submit = async (e: Event) => {
    e.preventDefault()
    if (busy) return
    if (new TextEncoder().encode(word).length < 8) return setProblem('A passphrase has at least 8 characters.')
    if (word !== again) return setProblem('The two are not the same.')
    setBusy(true)
    try {
      const { id } = await post<{ id: string }>('/api/export', { passphrase: word, key: withKey })
      const a = document.createElement('a')
      a.href = '/api/export/' + id
      a.download = ''
      a.click()
      setWord('')
      setAgain('')
      chat.tell('The browser saves the file. Without the passphrase nobody can read it, not even you.')
    } catch (err) {
      setProblem(sentence((err as Error).message))
    }
    setBusy(false)
  }
  return (
    <form onSubmit={(e) => void submit(e)}>
      <Field label="Passphrase" secret value={word} set={(s) => { setWord(s); setProblem('') }} problem={problem} hint="At least 8 characters. It cannot be found again." max={1000} />
      <Field label="Passphrase again" secret value={again} set={setAgain} max={1000} />
      <div class="buttons"><button class="primary" type="submit" aria-disabled={busy}><Icon name="down" size={18} />{busy ? 'Writing…' : button}</button></div>
    </form>
  )
}

export function ExportHistory() {
  return (
    <Dialog title="Export the history">
      <p class="hint">Contacts, groups and conversations as one file, without the files that were sent, and without your key. It is what <code>viscript chat export</code> writes, and <code>viscript chat import</code> takes it in.</p>
      <ExportForm withKey={false} button="Export" />
    </Dialog>
  )
}

export function Devices() {
  const c = useChat()
  const [list, setList] = useState<Device[]>([]), [adding, setAdding] = useState(false)
  const load = () => void get<Device[]>('/api/devices').then(setList, () => undefined)
  useEffect(load, [c.devicesChanged])
  const act = (device: string, act: string, name = '') => c.run(async () => {
    await post('/api/device', { device, act, name })
    load()
  })
  return (
    <Dialog title="Your devices">
      <p class="hint">Each has its own copy of the history from when it was added, and they are in step.</p>
      <ul class="members devices">
        {list.map((d) => (
          <li key={d.device}>
            <DeviceName d={d} save={(name) => void act(d.device, 'name', name)} />
            {!d.this && !d.gone && <Sure text="Remove" ask="Remove for good?" act={() => void act(d.device, 'remove')} />}
          </li>
        ))}
      </ul>
      <p class="hint">Remove what you do not use any more. Whoever has your key can make another one: if a device was stolen, begin with a new key.</p>
      {adding
        ? <section class="apart" aria-labelledby="addhead">
            <h3 id="addhead">Add a device</h3>
            <p class="hint">Save a file with your key and your history, take it to the other device, and type there: <code>viscript chat import {c.me.name} FILE</code>. Whoever has the file and the passphrase is you: delete it afterwards.</p>
            <ExportForm withKey button="Save the file with my key" />
          </section>
        : <div class="buttons"><button onClick={() => setAdding(true)}><Icon name="add" size={18} />Add a device</button></div>}
    </Dialog>
  )
}

/** DeviceName says what is known of a device, and lets it be named. */
function DeviceName({ d, save }: { d: Device; save: (name: string) => void }) {
  const [name, setName] = useState<string | null>(null)
  const said = plain(d.name ?? '') || `Device ${d.device}`
  if (name !== null) {
    return (
      <form class="inline membername" onSubmit={(e) => { e.preventDefault(); save(name.trim()); setName(null) }}>
        <Field label="Name of the device" value={name} set={setName} max={64} focus />
        <button type="submit">Save</button>
      </form>
    )
  }
  return <>
    <span class="membername">
      <span>
        <bdi>{said}</bdi> {(d.this || d.gone) && <span class="tag">{d.gone ? 'removed' : 'this one'}</span>}
        <span class="about2">{d.since && `since ${dateTime(d.since)}`}{d.since && d.seen && ', '}{d.seen && !d.this && `last seen ${dateTime(d.seen)}`}{d.this && 'here now'}</span>
      </span>
    </span>
    {!d.gone && <button onClick={() => setName(d.name ?? '')} aria-label={`Name ${said}`}>Name</button>}
  </>
}
