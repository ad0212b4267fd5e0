import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** accessible fails if axe finds anything in what the page shows now. */
export async function accessible(page, view) {
  await page.evaluate(source)
  const found = await page.evaluate(async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
    const r = await window.axe.run(document, { runOnly: tags, resultTypes: ['violations'] })
    return r.violations.map((v) => `${v.id}: ${v.help}\n` + v.nodes.slice(0, 4).map((n) => `    ${n.target.join(' ')}: ${n.failureSummary?.split('\n').slice(1).join('; ')}`).join('\n'))
  })
  if (found.length) throw new Error(`axe on ${view}:\n${found.join('\n')}`)
}

/**
 * everyway looks at a view light and dark, wide and as on a phone (all four if asked for: colours do not depend on widths); shots are its
 * pictures.
 */
export async function everyway(page, view, shots = async () => {}, all = false) {
  const size = page.viewportSize()
  const more = all ? [['dark', false], ['light', true]] : []
  for (const [scheme, phone] of [['light', false], ...more, ['dark', true]]) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
    await page.setViewportSize(phone ? { width: 360, height: 720 } : size)
    await page.waitForTimeout(50)
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    if (wide > 0) throw new Error(`${view}: ${wide} pixels wider than ${phone ? 'a phone' : 'the window'}`)
    await accessible(page, `${view}, ${scheme}${phone ? ', phone' : ''}`)
    await shots(page, `${view}-${scheme}${phone ? '-phone' : ''}`)
  }
  await page.setViewportSize(size)
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  await page.bringToFront() // it draws again
}
