// Text of others becomes text nodes, and links of the plainest kind.
import type { ComponentChildren } from 'preact'

export const shortKey = (k: string) => (k.length > 14 ? `${k.slice(0, 8)}…${k.slice(-4)}` : k)

/** plain shows what would not be seen: controls, and what turns text around. For names, which stand beside other text. */
export const plain = (s: string) => s.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => (c === '\u200d' ? c : '\ufffd'))

// Only ASCII: what looks like a name of a place is one.
const linkPattern = /\bhttps?:\/\/[!-;=?-~]+/gi

/** safeLink is the address of a link that may be opened; '' for others. */
export function safeLink(text: string): string {
  let u: URL
  try {
    u = new URL(text)
  } catch {
    return ''
  }
  const ok = (u.protocol === 'http:' || u.protocol === 'https:') && !u.username && !u.password && u.hostname
  return ok ? u.href : ''
}

/** cut leaves out what ends a sentence rather than an address. */
function cut(s: string): string {
  for (;;) {
    const t = s.replace(/[.,;:!?'"]+$/, '')
    const u = /[)\]}]$/.test(t) && !/[([{]/.test(t) ? t.slice(0, -1) : t
    if (u === s) return s
    s = u
  }
}

/** linked is the text with its links. */
export function linked(text: string): ComponentChildren[] {
  const out: ComponentChildren[] = []
  let at = 0
  for (const m of text.matchAll(linkPattern)) {
    const shown = cut(m[0])
    const href = safeLink(shown)
    if (!href) continue
    out.push(text.slice(at, m.index))
    out.push(<a href={href} target="_blank" rel="noopener noreferrer nofollow">{shown}</a>)
    at = m.index + shown.length
  }
  out.push(text.slice(at))
  return out
}

const units = ['bytes', 'KB', 'MB', 'GB']

export function bytes(n: number): string {
  let i = 0
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000
  return `${i && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[i]}`
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' })
const date = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' })
const shortDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' })

export const timeOf = (t: string) => clock.format(new Date(t))
const short = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

export const dateTime = (t: string) => short.format(new Date(t))
export const fullTime = (t: string) => full.format(new Date(t))

const dayNumber = (d: Date) => Math.floor((d.getTime() - d.getTimezoneOffset() * 60_000) / 86_400_000)

export const sameDay = (a: string, b: string) => dayNumber(new Date(a)) === dayNumber(new Date(b))

/** dayOf is a heading between messages. */
export function dayOf(t: string): string {
  const d = new Date(t)
  const ago = dayNumber(new Date()) - dayNumber(d)
  if (ago === 0) return 'Today'
  if (ago === 1) return 'Yesterday'
  return ago > 1 && ago < 7 ? weekday.format(d) : date.format(d)
}

/** whenOf stands in a list of conversations. */
export function whenOf(t: string): string {
  const d = new Date(t)
  const ago = dayNumber(new Date()) - dayNumber(d)
  if (ago === 0) return clock.format(d)
  if (ago === 1) return 'Yesterday'
  return shortDate.format(d)
}

/** heardOf says when something of a person came last: that is all that is known of where they are. */
export function heardOf(t: string | undefined): string {
  if (!t) return 'not heard from yet'
  const minutes = Math.floor((Date.now() - new Date(t).getTime()) / 60_000)
  if (minutes < 2) return 'heard from just now'
  if (minutes < 60) return `heard from ${minutes} minutes ago`
  if (minutes < 120) return 'heard from an hour ago'
  if (minutes < 24 * 60) return `heard from ${Math.floor(minutes / 60)} hours ago`
  return `last heard from ${whenOf(t)}`
}
