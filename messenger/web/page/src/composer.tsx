import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { useChat } from './chat'
import type { TalkID } from './api'
import { EmojiPicker } from './emojipicker'
import { Icon } from './icons'
import { quoteText } from './message'
import { bytes, plain } from './text'

const size = new TextEncoder()

export function Composer({ talk }: { talk: TalkID }) {
  const c = useChat()
  const [text, setText] = useState(c.drafts.get(talk) ?? '')
  const [picking, setPicking] = useState(false)
  const [sending, setSending] = useState(false)
  const area = useRef<HTMLTextAreaElement>(null)
  const files = useRef<HTMLInputElement>(null)
  const reply = c.replyTo.get(talk)
  const over = text.length * 3 > c.me.maxText ? size.encode(text).length - c.me.maxText : 0
  useEffect(() => { text ? c.drafts.set(talk, text) : c.drafts.delete(talk) }, [text])
  useLayoutEffect(() => {
    const el = area.current
    if (!el) return
    el.style.height = 'auto'
    el.style.height = `${Math.min(el.scrollHeight, 180)}px`
  }, [text])

  const send = async () => {
    const what = text.trim()
    if (!what || over > 0 || sending) return
    setSending(true)
    if (await c.send(talk, what)) setText('')
    setSending(false)
    area.current?.focus()
  }
  const key = (e: KeyboardEvent) => {
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) {
      e.preventDefault()
      void send()
    } else if (e.key === 'Escape' && reply) {
      c.replyTo.delete(talk)
      c.changed()
    } else if (e.key === 'ArrowUp' && !text) {
      const lines = document.querySelectorAll<HTMLElement>('.lines .line')
      lines[lines.length - 1]?.focus()
    }
  }
  const paste = (e: ClipboardEvent) => {
    if (!e.clipboardData?.files.length) return
    e.preventDefault()
    c.upload(talk, e.clipboardData.files)
  }
  const insert = (s: string) => {
    const el = area.current
    const from = el?.selectionStart ?? text.length, to = el?.selectionEnd ?? from
    setText(text.slice(0, from) + s + text.slice(to))
    requestAnimationFrame(() => el?.setSelectionRange(from + s.length, from + s.length))
  }
  return (
    <footer class="composer">
      {c.uploads.filter((u) => u.talk === talk).map((u) => (
        <div class="upload" key={u.n}>
          <Icon name="file" size={20} />
          <bdi class="filename">{plain(u.name)}</bdi>
          {u.error
            ? <span class="problem" role="alert">{u.error}</span>
            : <><progress max={u.size || 1} value={u.size ? u.sent : 1} aria-label={`Sending ${plain(u.name)}`} /><span class="filesize">{bytes(u.sent)} of {bytes(u.size)}</span></>}
          <button class="small" aria-label={u.error ? 'Dismiss' : `Stop sending ${plain(u.name)}`} onClick={() => c.endUpload(u)}><Icon name="close" size={16} /></button>
        </div>
      ))}
      {reply && (
        <div class="replying">
          <Icon name="reply" size={18} />
          <span class="replytext"><bdi class="author">{plain(c.name(reply.from))}</bdi><bdi class="quotetext">{quoteText(reply)}</bdi></span>
          <button class="small" aria-label="Do not reply" onClick={() => { c.replyTo.delete(talk); c.changed(); area.current?.focus() }}><Icon name="close" size={18} /></button>
        </div>
      )}
      {over > 0 && <p class="problem" role="alert">The text is {bytes(over)} too long: {bytes(c.me.maxText)} fit into one message. Send it as a file.</p>}
      <div class="write">
        <button class="round" title="Send files" aria-label="Send files" onClick={() => files.current?.click()}><Icon name="clip" /></button>
        <input ref={files} type="file" multiple hidden aria-hidden="true" tabIndex={-1}
          onChange={(e) => { if (e.currentTarget.files) c.upload(talk, e.currentTarget.files); e.currentTarget.value = '' }} />
        <textarea id="compose" ref={area} rows={1} dir="auto" placeholder="Message" aria-label={`Message to ${c.title(talk)}`} value={text}
          onInput={(e) => setText(e.currentTarget.value)} onKeyDown={key} onPaste={paste} />
        <div class="pickerbox">
          <button class="round" id="emoji" title="Emoji" aria-label="Emoji" aria-expanded={picking} aria-haspopup="dialog" onClick={() => setPicking(!picking)}><Icon name="smile" /></button>
          {picking && <EmojiPicker pick={insert} close={() => { setPicking(false); area.current?.focus() }} />}
        </div>
        <button class="round send" title="Send" aria-label="Send" aria-disabled={!text.trim() || over > 0} onClick={() => void send()}><Icon name="send" /></button>
      </div>
    </footer>
  )
}
