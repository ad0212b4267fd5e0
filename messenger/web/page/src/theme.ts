// The only thing that the browser keeps: light, dark, or as the system is.
export type Theme = 'system' | 'light' | 'dark'

export function theme(): Theme {
  const t = localStorage.getItem('theme')
  return t === 'light' || t === 'dark' ? t : 'system'
}

export function applyTheme(t: Theme = theme()) {
  localStorage.setItem('theme', t)
  if (t === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = t
}
