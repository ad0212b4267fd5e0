// Roving focus: a list is one stop of the Tab key, arrows move within.

/** rove moves the focus among the elements of a list that match; columns is how many stand beside each other. */
export function rove(e: KeyboardEvent, list: HTMLElement, selector: string, columns = 1) {
  const items = [...list.querySelectorAll<HTMLElement>(selector)]
  const at = items.indexOf(document.activeElement as HTMLElement)
  const step: Record<string, number> = { ArrowDown: columns, ArrowUp: -columns, ...(columns > 1 ? { ArrowRight: 1, ArrowLeft: -1 } : {}) }
  let to: number
  if (e.key === 'Home') to = 0
  else if (e.key === 'End') to = items.length - 1
  else if (e.key in step) to = at + step[e.key]!
  else return
  if (at < 0 || to < 0 || to >= items.length) return
  e.preventDefault()
  stop(items, items[to]!)
  items[to]!.focus()
}

/** stop makes one element the stop of the Tab key. */
export function stop(items: HTMLElement[], one: HTMLElement) {
  for (const i of items) i.tabIndex = i === one ? 0 : -1
}
