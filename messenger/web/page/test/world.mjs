// A messenger and people as processes of the program, and browsers that look at their pages.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

export const program = process.env.VISCRIPT ?? new URL('../../../../bin/viscript', import.meta.url).pathname
export const patience = Number(process.env.PATIENCE ?? 30_000) // milliseconds that anything may take on a loaded machine

const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-default-apps', '--disable-dev-shm-usage']

async function freePort() {
  const s = createServer()
  await new Promise((r) => s.listen(0, '127.0.0.1', r))
  const { port } = s.address()
  await new Promise((r) => s.close(r))
  return port
}

/** until waits for f to return something that is true. */
export async function until(what, f) {
  const end = Date.now() + patience
  for (let last; ; ) {
    try {
      const v = await f()
      if (v) return v
    } catch (err) {
      last = err
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${patience} ms` + (last ? `: ${last.message}` : ''))
    await new Promise((r) => setTimeout(r, 50))
  }
}

/** Process is one of the program's roles, run by hand. */
class Process {
  constructor(argv) {
    const env = { ...process.env }
    for (const k of Object.keys(env)) if (k.startsWith('SIGNAL_')) delete env[k]
    this.output = ''
    this.child = spawn(program, argv, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const s of [this.child.stdout, this.child.stderr]) s.on('data', (b) => (this.output += b))
    this.ended = new Promise((r) => this.child.on('exit', r))
  }

  async line(pattern) {
    return until(`${pattern} from ${this.child.spawnargs.slice(1, 3).join(' ')}`, () => {
      if (this.child.exitCode !== null) throw new Error(this.output)
      return this.output.match(pattern)
    })
  }

  async stop(signal = 'SIGTERM') {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
    await this.ended
  }
}

/** desktop stands for a desktop that shows notices: told has them, asked says how often it was asked whether it may. */
function desktop() {
  window.told = []
  window.asked = 0
  window.Notification = class {
    static permission = 'default'
    static async requestPermission() {
      window.asked++
      return (this.permission = 'granted')
    }
    constructor(title, { body, tag }) {
      Object.assign(this, { title, body, tag })
      window.told.push(this)
    }
    close() {}
  }
}

export class World {
  static async make() {
    const w = new World()
    w.dir = mkdtempSync(join(tmpdir(), 'chatpage'))
    w.mailboxes = `127.0.0.1:${await freePort()}`
    w.relay = `127.0.0.1:${await freePort()}`
    w.processes = []
    await w.startMessenger()
    w.browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args })
    return w
  }

  start(...argv) {
    const p = new Process(argv)
    this.processes.push(p)
    return p
  }

  async startMessenger() {
    this.messenger = this.start('messenger', this.relay, '--mailboxes', this.mailboxes, '--state', join(this.dir, 'messenger'))
    await this.messenger.line(/status=/)
  }

  /** person starts somebody's chat; its link opens the page once. */
  async person(name) {
    const person = { name, port: await freePort() }
    person.restart = async () => {
      person.chat = this.start('chat', name, '--messenger', this.mailboxes, '--web', `127.0.0.1:${person.port}`, '--state', join(this.dir, name))
      person.link = (await person.chat.line(/http:\/\/\S+\/start\/[\w-]+/))[0]
      person.origin = new URL(person.link).origin
    }
    await person.restart()
    return person
  }

  /** page opens somebody's page in a browser profile of its own. */
  async page(person, options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1180, height: 780 }, locale: 'en-GB', reducedMotion: 'reduce', ...options })
    context.setDefaultTimeout(patience)
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: person.origin }).catch(() => undefined)
    await context.addInitScript(desktop)
    const page = await context.newPage()
    page.problems = []
    page.on('pageerror', (err) => page.problems.push(String(err)))
    page.on('console', (m) => {
      if (m.type() === 'error' || /Content Security Policy/i.test(m.text())) page.problems.push(m.text())
    })
    await page.goto(person.link)
    await page.locator('.whoname', { hasText: person.name }).waitFor()
    person.key = await page.evaluate(async () => (await (await fetch('/api/state')).json()).me.key)
    return page
  }

  async close() {
    await this.browser?.close()
    for (const p of this.processes.reverse()) await p.stop()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** shot saves a picture of the page, if there is a place for them. */
export async function shot(page, name) {
  const dir = process.env.SCREENSHOTS
  if (!dir) return
  mkdirSync(dir, { recursive: true })
  await page.screenshot({ path: join(dir, `chat-${name}.png`) })
}

/** addContact makes somebody known by their key. */
export async function addContact(page, person) {
  await page.getByRole('button', { name: 'New contact' }).click()
  await page.getByLabel('Key', { exact: true }).fill(person.key)
  await page.getByLabel('Name', { exact: true }).fill(person.name)
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await page.locator('.talkhead h1', { hasText: person.name }).waitFor()
}

export async function say(page, text) {
  await page.locator('#compose').fill(text)
  await page.locator('#compose').press('Enter')
  await page.locator('.line.mine .text', { hasText: text.slice(0, 40) }).last().waitFor()
}

export const heard = (page, text) => page.locator('.line.theirs .text', { hasText: text }).last().waitFor()

export async function openTalk(page, name) {
  await page.locator('.rows .rowname', { hasText: name }).first().click()
  await page.locator('.talkhead h1', { hasText: name }).waitFor()
}
