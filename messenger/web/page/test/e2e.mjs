// The page in Chromium against real processes of the program: a messenger and people. Run after `make build` and `npm run build`:
//
//	node test/e2e.mjs [NAME...]
//
// It exits with 3 when a wait ran out, with 1 when something else was wrong. SCREENSHOTS=DIR keeps pictures. Steps follow each other; names of steps run only those and what they need (people, always).
import { steps } from './steps.mjs'
import { World, shot } from './world.mjs'

const only = process.argv.slice(2)
const began = Date.now()
const w = await World.make()
let failed = ''
try {
  for (const [name, step] of Object.entries(steps)) {
    if (only.length && name !== 'people' && !only.includes(name)) continue
    const at = Date.now()
    try {
      await step(w)
    } catch (err) {
      failed = name
      throw err
    }
    console.log(`ok   ${name} (${((Date.now() - at) / 1000).toFixed(1)} s)`)
  }
} catch (err) {
  console.error(`FAIL ${failed}\n${err.stack}`)
  for (const [name, page] of Object.entries(w.pages ?? {})) await shot(page, `failed-${name}`).catch(() => undefined)
  for (const p of w.processes) console.error(`--- ${p.child.spawnargs.slice(1).join(' ')}\n${p.output.slice(-1500)}`)
  process.exitCode = err.name === 'TimeoutError' ? 3 : 1
} finally {
  await w.close()
}
console.log(`${failed ? 'failed' : 'passed'} in ${((Date.now() - began) / 1000).toFixed(1)} s`)
