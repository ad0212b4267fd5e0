// The picture of the page in docs: node test/showcase.mjs FILE
import { picture } from './picture.mjs'
import { World, addContact, heard, openTalk, say } from './world.mjs'

const w = await World.make()
try {
  const [ann, ben, cleo, dora] = await Promise.all(['Ann', 'Ben', 'Cleo', 'Dora'].map((n) => w.person(n)))
  const [a, b, c, d] = await Promise.all([ann, ben, cleo, dora].map((p) => w.page(p, { viewport: { width: 1180, height: 760 } })))
  for (const [page, who] of [[b, ann], [c, ann], [d, ann]]) {
    await addContact(page, who)
  }
  for (const who of [dora, cleo, ben]) await addContact(a, who)
  await a.evaluate((key) => fetch('/api/person', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ key, act: 'verify' }) }), ben.key)
  await d.bringToFront()
  await say(d, 'The book you asked for is here 📚')
  await c.bringToFront()
  await say(c, 'Did you see the photos from the lake?')
  await a.bringToFront()

  await say(a, 'Can you bring the map?')
  await b.bringToFront()
  await say(b, 'Of course. And the good thermos.')
  await a.bringToFront()
  await heard(a, 'thermos')
  await a.getByRole('button', { name: 'New group' }).click()
  await a.getByLabel('Name', { exact: true }).fill('Sunday walk')
  for (const n of ['Ben', 'Cleo', 'Dora']) await a.getByRole('checkbox', { name: n }).check()
  await a.getByRole('button', { name: 'Create' }).click()
  await a.locator('.talkhead h1', { hasText: 'Sunday walk' }).waitFor()
  await say(a, 'Shall we go round the lake on Sunday? https://example.org/lake')
  for (const p of [b, c]) {
    await p.bringToFront()
    await openTalk(p, 'Sunday walk')
    await heard(p, 'Shall we')
  }
  await c.locator('input[type=file]').setInputFiles({ name: 'lake.png', mimeType: 'image/png', buffer: await picture(c, 640, 300) })
  await a.bringToFront()
  await a.locator('.picture img').waitFor()
  await c.bringToFront()
  await say(c, 'It looked like this last year 😍')
  await a.locator('.line.theirs .text', { hasText: 'last year' }).waitFor()
  await b.bringToFront()
  await b.locator('.line.theirs', { hasText: 'Shall we' }).hover()
  await b.locator('.line.theirs', { hasText: 'Shall we' }).getByRole('button', { name: 'Reply' }).click()
  await say(b, 'I am in. Meet at ten at the station?')
  await a.bringToFront()
  await heard(a, 'I am in')
  await say(a, 'Ten is perfect 👍')
  await a.waitForTimeout(1500)
  await a.mouse.move(600, 40)
  await a.screenshot({ path: process.argv[2] ?? 'chat.png' })
} finally {
  await w.close()
}
