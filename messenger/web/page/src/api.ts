// What the server says, see messenger/web/doc.go.

export type Key = string // 66 hex digits
export type TalkID = string // a Key, or "group:" and 64 hex digits

export interface Me { key: Key; address: string; name: string; maxText: number; maxFile: number; piece: number; links: boolean }

export interface Person {
  key: Key
  name: string
  verified?: boolean
  blocked?: boolean
  request?: boolean
  met?: boolean
  added: string
  heard?: string
  devices?: number
}

export interface Member { key: Key; admin?: boolean }
export interface Group { talk: TalkID; name: string; role: 'admin' | 'member' | 'left'; members: Member[]; by?: Key }
export interface FileInfo { name: string; size: number }

export type Status = 'received' | 'queued' | 'sent' | 'delivered' | 'read'

export interface Message {
  n: number
  id: string
  from: Key
  time: string
  at: string
  text?: string
  reply?: string
  status: Status
  gap?: boolean
  note?: boolean
  file?: FileInfo
  want?: number
  got?: Key[]
  seen?: Key[]
}

export interface Talk { talk: TalkID; unread: number; time: string; last?: Message; request?: boolean }
export interface Link { key: Key; text?: string; expiry: string; uses: number; ask?: boolean }
export interface Asking { talk: TalkID; key: Key; at: string }
export interface Joining { talk: TalkID; inviter: Key; expiry: string }
export interface State { me: Me; people: Person[]; groups: Group[]; talks: Talk[]; asking?: Asking[]; joining?: Joining[] }
export interface Device { device: string; name?: string; this?: boolean; gone?: boolean; since?: string; seen?: string }
export interface Found { talk: TalkID; message: Message }
export interface Progress { have: number; done: boolean }

export interface Event {
  kind: 'hello' | 'message' | 'state' | 'file' | 'device' | 'reset' | 'moved'
  talk?: TalkID
  message?: Message
  id?: string
}

/** Failure is an answer of the server that is not what was asked for; status 0: there was none. */
export class Failure extends Error {
  constructor(readonly status: number, text: string) {
    super(text)
  }
}

async function ask<T>(method: string, path: string, init: RequestInit): Promise<T> {
  let r: Response
  try {
    r = await fetch(path, { method, credentials: 'same-origin', cache: 'no-store', redirect: 'error', ...init })
  } catch (err) {
    if (err instanceof DOMException && err.name === 'AbortError') throw err
    throw new Failure(0, 'The program does not answer.')
  }
  if (r.ok) return (await r.json()) as T
  let text = ''
  try {
    text = ((await r.json()) as { error: string }).error
  } catch {
    // nothing was said
  }
  throw new Failure(r.status, text || `The program refused (${r.status}).`)
}

export const get = <T>(path: string, query: Record<string, string> = {}) => {
  const q = new URLSearchParams(query).toString()
  return ask<T>('GET', q ? `${path}?${q}` : path, {})
}

export const post = <T = unknown>(path: string, value: unknown = {}) =>
  ask<T>('POST', path, { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) })

export const put = <T>(path: string, part: Blob, signal: AbortSignal) =>
  ask<T>('PUT', path, { headers: { 'Content-Type': 'application/octet-stream' }, body: part, signal })

export const drop = (path: string) => ask<unknown>('DELETE', path, {})

export const fileURL = (m: Message, save = false) => `/api/file/${m.from}/${m.id}${save ? '?save=1' : ''}`
