// Notices on the desktop: asked for by a button, none while a tab of the page is in front, and without text unless the person wants it.
export type Notices = 'off' | 'names' | 'text'

const pause = 300 // milliseconds in which another tab may say that it is in front
const channel = new BroadcastChannel('front')
const seen = new Set<string>() // messages that came while another tab was in front
channel.onmessage = (e: MessageEvent<string>) => {
  if (seen.size > 100) seen.clear()
  seen.add(e.data)
}

export const inFront = () => document.visibilityState === 'visible' && document.hasFocus()

export function notices(): Notices {
  const n = localStorage.getItem('notices')
  return 'Notification' in window && Notification.permission === 'granted' && (n === 'names' || n === 'text') ? n : 'off'
}

/** setNotices asks the browser when it has not been asked; false: it does not allow notices. */
export async function setNotices(n: Notices): Promise<boolean> {
  const ok = n === 'off' || ('Notification' in window && (await Notification.requestPermission()) === 'granted')
  localStorage.setItem('notices', ok ? n : 'off')
  return ok
}

/** notify tells of the message with this id; text '' is never shown. */
export function notify(talk: string, id: string, who: string, what: string, text: string, open: () => void) {
  if (inFront()) return channel.postMessage(id)
  if (notices() === 'off') return
  setTimeout(() => {
    const how = notices()
    if (inFront() || seen.has(id) || how === 'off') return
    const n = new Notification(who, { body: (how === 'text' && text) || what, tag: talk })
    n.onclick = () => {
      n.close()
      window.focus()
      open()
    }
  }, pause)
}
