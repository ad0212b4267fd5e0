import './style.css'
import { render } from 'preact'
import { useEffect } from 'preact/hooks'
import { chat, useChat } from './chat'
import { Dialogs } from './dialogs'
import { Sidebar } from './sidebar'
import { Conversation } from './conversation'
import { applyTheme } from './theme'
import { Icon } from './icons'

applyTheme()
chat.start()

function Page() {
  const c = useChat()
  const unread = c.talks.reduce((n, t) => n + (t.request ? 0 : t.unread), 0)
  useEffect(() => {
    document.title = (unread ? `(${unread}) ` : '') + (c.me.name ? `${c.me.name}: chat` : 'Chat')
  }, [unread, c.me.name])
  if (c.phase === 'ended' || c.phase === 'moved') return <Ended moved={c.phase === 'moved'} />
  return (
    <div class={c.open ? 'app talking' : 'app'}>
      <a class="skip" href="#conversation" onClick={(e) => { e.preventDefault(); document.getElementById('conversation')?.focus() }}>Skip to the conversation</a>
      <Sidebar />
      <Conversation />
      <Dialogs />
      {c.phase === 'away' && <div class="banner" role="status">The program does not answer. Trying again…</div>}
      <div class="toasts" role="status">{c.toast && !c.show && <div class="toast">{c.toast}</div>}</div>
      <div class="hidden" aria-live="polite">{c.said}</div>
    </div>
  )
}

function Ended({ moved }: { moved: boolean }) {
  return (
    <main class="ended">
      <Icon name="link" size={40} />
      <h1>{moved ? 'This page is open elsewhere' : 'This page has ended'}</h1>
      {moved
        ? <p>Four other tabs of this browser show it. Come back to this tab to go on here.</p>
        : <p>The program was started again, or you have signed out. Ask it for a new link with <code>tell ID web</code>.</p>}
    </main>
  )
}

render(<Page />, document.getElementById('page')!)
