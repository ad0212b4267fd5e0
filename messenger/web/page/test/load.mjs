// How long the page takes to show a conversation: node test/load.mjs [N], the median of N visits.
import { World, addContact, say } from './world.mjs'

const n = Number(process.argv[2] ?? 9)
const w = await World.make()
try {
  const ann = await w.person('Ann'), ben = await w.person('Ben')
  const a = await w.page(ann)
  await w.page(ben)
  await addContact(a, ben)
  await say(a, 'hello')
  const times = []
  for (let i = 0; i < n; i++) {
    const cdp = await a.context().newCDPSession(a)
    await cdp.send('Network.setCacheDisabled', { cacheDisabled: true })
    await a.reload()
    await a.locator('.row').first().waitFor()
    times.push(await a.evaluate(() => performance.getEntriesByName('shown')[0].startTime))
  }
  times.sort((x, y) => x - y)
  console.log(`shown after ${Math.round(times[n >> 1])} ms (median of ${n}; ${Math.round(times[0])} to ${Math.round(times[n - 1])})`)
} finally {
  await w.close()
}
