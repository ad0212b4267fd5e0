import { useEffect, useState } from 'preact/hooks'
import { chat } from './chat'
import { fileURL } from './api'
import type { Message, TalkID } from './api'
import { Icon } from './icons'
import { bytes, fullTime, linked, plain, timeOf } from './text'

const longText = 2000 // characters that are shown at first

const statusWords: Record<string, string> = {
  queued: 'waiting to be sent', sent: 'sent', delivered: 'delivered', read: 'read', received: '',
}

/** StatusMark says how far a message of ours has got. */
export function StatusMark({ m }: { m: Message }) {
  let words = statusWords[m.status] ?? m.status
  if ((m.want ?? 1) > 1 && m.status !== 'queued') {
    words = `${words}; delivered to ${m.got?.length ?? 0} of ${m.want}, read by ${m.seen?.length ?? 0}`
  }
  const icon = m.status === 'queued' ? 'clock' : m.status === 'sent' ? 'tick' : 'ticks'
  return <span class={'mark ' + m.status} title={words}><Icon name={icon} size={16} /><span class="hidden">{words}</span></span>
}

/** noteText says what happened to a group. */
export function noteText(m: Message): string {
  const words = (m.text ?? '').split(' ')
  const kind = words.shift() ?? ''
  const subject = /^[0-9a-f]{66}$/.test(words[words.length - 1] ?? '') ? chat.name(words.pop()!) : ''
  const who = chat.name(m.from), name = plain(words.join(' '))
  const whom = subject === 'You' ? 'you' : subject
  switch (kind) {
    case 'create': return `${who} created the group “${name}”`
    case 'add': return `${who} added ${whom}`
    case 'remove': return `${who} removed ${whom}`
    case 'leave': return `${who} left`
    case 'promote': return `${who} made ${whom} an admin`
    case 'demote': return `${who} made ${whom} a plain member`
    case 'rename': return `${who} named the group “${name}”`
    case 'join': return `${subject || who} joined by a link`
    case 'admit': return `${who} let ${whom} in`
    case 'invite': return `${who} made a link to join`
    case 'offer': return `${who} made a link to ask to join`
    case 'revoke': return `${who} revoked a link`
    case 'full': return `${who} has left ${bytes(Number(name))} here today, as much as one contact may: more of today is not kept`
    case 'guests': return `${who} and others whom you know only from groups have left ${bytes(Number(name))} today, as much as they may together: more of theirs is not kept`
    case 'invited': return `${who} has brought you into ${name} ${name === '1' ? 'group' : 'groups'} where you have not looked: more are not taken before you do`
  }
  return `${who}: ${kind}`
}

export interface RowProps {
  talk: TalkID
  m: Message
  first: boolean // of several by the same person
  group: boolean
  quoted: Message | undefined
  active: boolean
}

export function MessageRow({ talk, m, first, group, quoted, active }: RowProps) {
  if (m.note) return <li class="note" data-n={m.n}><bdi>{noteText(m)}</bdi></li>
  const mine = m.from === chat.me.key
  const reply = () => {
    chat.replyTo.set(talk, m)
    chat.changed()
    document.getElementById('compose')?.focus()
  }
  const copy = () => void chat.run(async () => {
    await navigator.clipboard.writeText(m.text ?? '')
    chat.tell('Copied.')
  })
  return (
    <li class={`line ${mine ? 'mine' : 'theirs'} ${first ? 'first' : ''}`} data-n={m.n} tabIndex={active ? 0 : -1}>
      {m.gap && <p class="gap">Something before this has not come, or comes later.</p>}
      <div class="bubble">
        {first && group && !mine && <bdi class="author">{plain(chat.name(m.from))}</bdi>}
        {!(first && group) && !mine && <span class="hidden">{plain(chat.name(m.from))}:</span>}
        {mine && <span class="hidden">You:</span>}
        {m.reply && <Quote m={quoted} />}
        {m.file ? <Attachment talk={talk} m={m} /> : <Text text={m.text ?? ''} />}
        <span class="meta"><time dateTime={m.time} title={fullTime(m.time)}>{timeOf(m.time)}</time>{mine && <StatusMark m={m} />}</span>
      </div>
      <div class="acts">
        <button class="small" tabIndex={active ? 0 : -1} title="Reply" aria-label="Reply" onClick={reply}><Icon name="reply" size={18} /></button>
        {!m.file && <button class="small" tabIndex={active ? 0 : -1} title="Copy" aria-label="Copy" onClick={copy}><Icon name="copy" size={18} /></button>}
      </div>
    </li>
  )
}

export function quoteText(m: Message): string {
  return m.file ? `📎 ${plain(m.file.name)}` : (m.text ?? '').slice(0, 160)
}

function Quote({ m }: { m: Message | undefined }) {
  if (!m) return <blockquote class="quote">An earlier message</blockquote>
  return (
    <blockquote class="quote">
      <button class="quotelink" tabIndex={-1} onClick={() => { chat.jump = m.n; chat.changed() }}>
        <bdi class="author">{plain(chat.name(m.from))}</bdi>
        <bdi class="quotetext" dir="auto">{quoteText(m)}</bdi>
      </button>
    </blockquote>
  )
}

function Text({ text }: { text: string }) {
  const [all, setAll] = useState(false)
  const long = text.length > longText
  const emoji = text.length < 20 && /^(\p{Extended_Pictographic}|\p{Emoji_Component}|\s)+$/u.test(text) && /\p{Extended_Pictographic}/u.test(text)
  return (
    <div class={emoji ? 'text big' : 'text'} dir="auto">
      {linked(long && !all ? text.slice(0, longText) + '…' : text)}
      {long && <button class="plainlink" onClick={() => setAll(!all)}>{all ? 'Show less' : `Show all ${text.length.toLocaleString()} characters`}</button>}
    </div>
  )
}

function Attachment({ talk, m }: { talk: TalkID; m: Message }) {
  const [broken, setBroken] = useState(false)
  const mine = m.from === chat.me.key
  useEffect(() => void chat.look(talk, m), [m.id])
  const p = mine ? { have: m.file!.size, done: true } : chat.progress.get(m.id)
  const name = plain(m.file!.name)
  if (p?.done && chat.isPicture(m) && !broken) {
    return (
      <a class="picture" href={fileURL(m)} target="_blank" rel="noopener noreferrer">
        <img src={fileURL(m)} alt={`Picture ${name}`} loading="lazy" onError={() => setBroken(true)} />
      </a>
    )
  }
  const going = p && !p.done && p.have > 0
  return (
    <div class="file">
      <span class="fileicon"><Icon name="file" size={26} /></span>
      <span class="filetext">
        <bdi class="filename">{name}</bdi>
        <span class="filesize">{going ? `${bytes(p.have)} of ${bytes(m.file!.size)}` : bytes(m.file!.size)}</span>
        {going && <progress max={m.file!.size} value={p.have} aria-label={`Progress of ${name}`} />}
      </span>
      {p?.done
        ? <a class="small" href={fileURL(m, true)} download={name} title="Save" aria-label={`Save ${name}`}><Icon name="down" size={20} /></a>
        : <button class="small" title="Get" aria-label={`Get ${name}`} onClick={() => void chat.fetchFile(talk, m)}><Icon name="down" size={20} /></button>}
    </div>
  )
}
