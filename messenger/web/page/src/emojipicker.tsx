import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { emoji } from './emoji'
import { rove } from './roving'

const columns = 8

export function EmojiPicker({ pick, close }: { pick: (s: string) => void; close: () => void }) {
  const [words, setWords] = useState('')
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    box.current?.querySelector('input')?.focus()
    const outside = (e: MouseEvent) => {
      const t = e.target as HTMLElement
      if (!box.current?.contains(t) && !t.closest('#emoji')) close()
    }
    addEventListener('mousedown', outside)
    return () => removeEventListener('mousedown', outside)
  }, [])
  useLayoutEffect(() => {
    const items = [...(box.current?.querySelectorAll<HTMLElement>('.emoji') ?? [])]
    if (items[0] && !items.some((i) => i.tabIndex === 0)) items[0].tabIndex = 0
  })
  const find = words.trim().toLowerCase()
  const groups = emoji.map(([title, list]) => [title, list.filter(([, name]) => name.includes(find))] as const).filter(([, list]) => list.length)
  const key = (e: KeyboardEvent & { currentTarget: HTMLElement }) => {
    if (e.key === 'Escape') {
      e.stopPropagation()
      close()
    } else if (e.target instanceof HTMLInputElement) {
      const one = box.current?.querySelector<HTMLElement>('.emoji')
      if (e.key === 'ArrowDown') one?.focus()
      else if (e.key === 'Enter' && one) one.click()
      else return
      e.preventDefault()
    } else rove(e, e.currentTarget, '.emoji', columns)
  }
  return (
    <div class="picker" role="dialog" aria-label="Emoji" ref={box} onKeyDown={key}>
      <input type="search" placeholder="Search emoji" aria-label="Search emoji" value={words} onInput={(e) => setWords(e.currentTarget.value)} />
      <div class="pickerscroll" tabIndex={-1}>
        {groups.map(([title, list]) => (
          <section key={title} aria-label={title}>
            <h2>{title}</h2>
            <div class="emojis">
              {list.map(([e, name]) => <button key={e} class="emoji" tabIndex={-1} title={name} aria-label={name} onClick={() => pick(e)}>{e}</button>)}
            </div>
          </section>
        ))}
        {!groups.length && <p class="empty">No such emoji.</p>}
      </div>
    </div>
  )
}
