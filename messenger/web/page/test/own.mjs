// A person's own devices, the export of the history, notices on the desktop.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { everyway } from './axe.mjs'
import { openTalk, program, say, shot, until } from './world.mjs'

const passphrase = 'correct horse battery'

async function own(page, name, button) {
  await page.bringToFront()
  await page.getByRole('button', { name: new RegExp('^You are ' + name) }).click()
  await page.getByRole('dialog').getByRole('button', { name: button }).click()
}

/** download types the passphrase and takes the file that comes of it. */
async function download(page, button) {
  await page.getByLabel('Passphrase', { exact: true }).fill(passphrase)
  await page.getByLabel('Passphrase again').fill(passphrase)
  const urls = []
  page.on('request', (r) => urls.push(r.url()))
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('dialog').getByRole('button', { name: button }).click()])
  const bytes = readFileSync(await file.path())
  assert.match(file.suggestedFilename(), /^chat-Ann-\d{4}-\d\d-\d\d\.export$/)
  assert.match(bytes.subarray(0, 23).toString(), /^viscript chat export\/1\n$/)
  assert.ok(urls.length && !urls.some((u) => /correct|horse/.test(u)), 'the passphrase is in no address')
  await until('the fields are empty', async () => (await page.getByLabel('Passphrase again').inputValue()) === '')
  return bytes
}

/** imported is what the command says of a file. */
function imported(w, name, bytes) {
  const file = join(w.dir, 'taken'), word = join(w.dir, 'passphrase')
  writeFileSync(file, bytes)
  writeFileSync(word, passphrase + '\n', { mode: 0o600 })
  const r = spawnSync(program, ['chat', 'import', name, file, '--state', join(w.dir, name), '--passphrase-file', word], { encoding: 'utf8', timeout: 60_000 })
  assert.equal(r.status, 0, r.stderr)
  return r.stdout
}

/** devices: one is named, one is added by the file that the page saves, and removed. */
export async function devices(w) {
  const a = w.pages.ann
  await own(a, 'Ann', 'Your devices')
  const rows = a.locator('.devices li')
  await until('this device', async () => (await rows.count()) === 1)
  await a.getByRole('button', { name: /^Name Device/ }).click()
  await a.getByLabel('Name of the device').fill('The desk')
  await a.getByRole('button', { name: 'Save', exact: true }).click()
  await rows.first().getByText('The desk').waitFor()
  await a.getByRole('button', { name: 'Add a device' }).click()
  await a.getByLabel('Passphrase', { exact: true }).fill('short')
  await a.getByRole('button', { name: 'Save the file' }).click()
  await a.getByRole('alert').waitFor()
  await everyway(a, 'add-device', shot)
  const bytes = await download(a, 'Save the file')
  assert.match(imported(w, 'Ann2', bytes), /\d+ messages are new/)
  const second = await w.person('Ann2')
  await until('two devices', async () => (await rows.count()) === 2)
  await everyway(a, 'devices', shot, true)
  await a.getByRole('button', { name: 'Remove', exact: true }).click()
  await a.getByRole('button', { name: 'Remove for good?' }).click()
  await rows.nth(1).getByText('removed').waitFor()
  await second.chat.stop()
  await a.keyboard.press('Escape')
  assert.deepEqual(a.problems, [])
}

/** history: the export is what the command takes in. */
export async function history(w) {
  const a = w.pages.ann
  await own(a, 'Ann', 'Export the history')
  await a.getByLabel('Passphrase', { exact: true }).fill(passphrase)
  await a.getByLabel('Passphrase again').fill('something else')
  await a.getByRole('button', { name: 'Export', exact: true }).click()
  await a.getByRole('alert').filter({ hasText: 'not the same' }).waitFor()
  await everyway(a, 'export', shot)
  const bytes = await download(a, 'Export')
  assert.ok(!bytes.includes('Sunday'), 'it is encrypted')
  assert.match(imported(w, 'Ann2', bytes), /\d+ messages are new/)
  await a.keyboard.press('Escape')
  assert.deepEqual(a.problems, [])
}

/** notices: asked for by the button only, none in front, no text unless wanted. */
export async function notices(w) {
  const { ann: a, ben: b } = w.pages
  await b.bringToFront()
  await openTalk(b, 'Ann')
  await a.bringToFront()
  await openTalk(a, 'Sunday walk')
  const told = () => a.evaluate(() => window.told.map((n) => [n.title, n.body]))
  const front = (is) => a.evaluate((is) => { document.hasFocus = () => is }, is)
  const heard = async (text) => {
    await say(b, text)
    await a.locator('.rowlast', { hasText: text }).waitFor()
    await a.waitForTimeout(600)
  }
  const settings = () => a.getByRole('button', { name: /^You are Ann/ }).click()
  assert.deepEqual([await a.evaluate(() => window.asked), await b.evaluate(() => window.asked)], [0, 0], 'the page asks by itself')
  await front(false)
  await heard('before anything was asked for')
  await front(true)
  await settings()
  await a.getByRole('button', { name: 'Tell me of new messages' }).click()
  await a.getByRole('checkbox', { name: 'With the text' }).waitFor()
  assert.equal(await a.evaluate(() => window.asked), 1)
  await everyway(a, 'notices', shot)
  await a.keyboard.press('Escape')
  await heard('in front')
  assert.deepEqual(await told(), [])
  await front(false)
  await heard('behind, a secret')
  assert.deepEqual(await told(), [['Ben', 'wrote']])
  const beside = await a.context().newPage() // another tab, in front
  await beside.goto(w.ann.origin + '/')
  await beside.locator('.row').first().waitFor()
  await heard('with another tab in front')
  assert.equal((await told()).length, 1)
  await beside.close()
  await settings()
  await a.getByRole('checkbox', { name: 'With the text' }).check()
  await a.keyboard.press('Escape')
  await heard('with the text')
  assert.deepEqual((await told()).pop(), ['Ben', 'with the text'])
  await b.locator('#compose').fill('gnp.\u202egpj')
  await b.locator('#compose').press('Enter')
  await until('a text that turns around is told as it stands', async () => (await told()).pop()[1] === 'gnp.\ufffdgpj')
  await a.evaluate(() => window.told[window.told.length - 1].onclick())
  await a.locator('.talkhead h1', { hasText: 'Ben' }).waitFor()
  await settings()
  await a.getByRole('button', { name: 'No more notices' }).click()
  await a.getByRole('button', { name: 'Tell me of new messages' }).waitFor()
  await a.keyboard.press('Escape')
  const n = (await told()).length
  await heard('after all')
  assert.equal((await told()).length, n)
  await a.evaluate(() => { delete document.hasFocus })
  assert.deepEqual([a.problems, b.problems], [[], []])
}
