import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { accessible, everyway } from './axe.mjs'
import { elsewhere } from './elsewhere.mjs'
import { devices, history, notices } from './own.mjs'
import { picture } from './picture.mjs'
import { addContact, heard, openTalk, say, shot, until } from './world.mjs'

const quiet = (page) => assert.deepEqual(page.problems, [], 'what the browser complains of')

export const steps = {
  // Two people: keys, a request, accepted; messages, receipts, a reply.
  async people(w) {
    const [ann, ben, cleo] = await Promise.all(['Ann', 'Ben', 'Cleo'].map((n) => w.person(n)))
    Object.assign(w, { ann, ben, cleo })
    w.pages = { ann: await w.page(ann), ben: await w.page(ben) }
    const { ann: a, ben: b } = w.pages
    await everyway(a, 'empty', shot)
    await addContact(a, ben)
    await say(a, 'Hello Ben! Shall we walk on Sunday?')
    await b.getByRole('tab', { name: 'Requests 1 waiting' }).click()
    await b.locator('.row').click()
    await heard(b, 'Hello Ben')
    await everyway(b, 'request', shot)
    assert.equal(await a.locator('.bubble .mark.sent').count(), 1, 'a request is not confirmed')
    await b.getByRole('button', { name: 'Accept' }).click()
    await a.locator('.bubble .mark.read, .bubble .mark.delivered').waitFor()
    await b.getByRole('button', { name: 'Contact details' }).click()
    await b.getByRole('textbox', { name: 'Name' }).fill('Ann')
    await b.getByRole('button', { name: 'Save' }).click()
    await b.locator('.toast', { hasText: 'Saved' }).waitFor()
    await b.keyboard.press('Escape')
    await b.locator('.talkhead h1', { hasText: 'Ann' }).waitFor()
    await b.bringToFront()
    await say(b, 'Gladly. The map: https://example.org/walk?to=lake. At ten?')
    await heard(a, 'Gladly')
    const link = a.locator('.line.theirs a')
    assert.equal(await link.getAttribute('href'), 'https://example.org/walk?to=lake')
    assert.match(await link.getAttribute('rel'), /noopener/)
    await a.locator('.line.theirs').last().hover()
    await a.locator('.line.theirs').last().getByRole('button', { name: 'Reply' }).click()
    await say(a, 'Ten is good 👍')
    await b.locator('.line.theirs .quotetext', { hasText: 'Gladly' }).waitFor()
    await a.locator('.line.mine').first().locator('.mark.read').waitFor()
  },

  // What others write is text and nothing else.
  async hostile(w) {
    const { ann: a, ben: b } = w.pages
    await b.bringToFront()
    const texts = [
      '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>',
      'javascript:alert(1) data:text/html,x <a href="javascript:alert(1)">x</a> http://user:pass@evil.example/ https://xn--e1awd7f.com\u202emoc.live//:sptth',
      '\u202e\u202dgnihtyna\u2066 \u2067 right to left שלום مرحبا',
      '&lt;b&gt; {{7*7}} ${7*7} %3Cscript%3E \u0000\u0007 \ufeff'.replace('\u0000', ''),
      'x'.repeat(15_000),
      'ẑ̸̧̛͓̥̖̲̗̣̲̹̫͕̅̂̓ '.repeat(60),
    ]
    for (const text of texts) {
      await b.evaluate(async ([talk, text]) => {
        const r = await fetch('/api/send', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ talk, text }) })
        if (!r.ok) throw new Error(await r.text())
      }, [w.ann.key, text])
    }
    await a.bringToFront()
    await until('all of it', async () => (await a.locator('.line.theirs').count()) === 1 + texts.length)
    await a.getByRole('button', { name: 'Show all 15,000 characters' }).click()
    assert.equal(await a.locator('.text img, .text script, .text svg, .text iframe').count(), 0)
    for (const href of await a.locator('.text a').evaluateAll((l) => l.map((x) => x.href))) assert.match(href, /^https?:\/\/[a-z0-9.-]+\//)
    assert.equal(await a.locator('.text a[href*="@"]').count(), 0)
    assert.doesNotMatch(await a.title(), /owned/)
    const shown = await a.locator('.line.theirs .text').nth(1).textContent()
    assert.equal(shown, texts[0], 'the text is what was sent')
    const names = await b.evaluate(async (key) => {
      const out = []
      for (const name of ['<b>bold</b>', 'a\nb', '\u202eevil', 'x'.repeat(65)]) {
        out.push((await fetch('/api/person', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ key, act: 'add', name }) })).status)
      }
      return out
    }, w.ann.key)
    assert.deepEqual(names, [200, 400, 400, 400])
    await b.locator('.talkhead h1', { hasText: '<b>bold</b>' }).waitFor()
    await b.evaluate((key) => fetch('/api/person', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ key, act: 'add', name: 'Ann' }) }), w.ann.key)
    await b.locator('.talkhead h1', { hasText: 'Ann' }).waitFor()
    await everyway(a, 'hostile', shot)
    // 60 KB do not fit: the page says so before it is sent, and the program if it is.
    await a.locator('#compose').fill('y'.repeat(60 << 10))
    await a.locator('.composer .problem', { hasText: 'too long' }).waitFor()
    await a.locator('#compose').press('Enter')
    await accessible(a, 'a text too long')
    await a.locator('#compose').fill('')
    const long = await a.evaluate(async (talk) => (await fetch('/api/send', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ talk, text: 'y'.repeat(60 << 10) }) })).status, w.ben.key)
    assert.equal(long, 400)
    a.problems = a.problems.filter((p) => !/status of 400/.test(p))
    b.problems = b.problems.filter((p) => !/status of 400/.test(p))
    quiet(a)
    quiet(b)
  },

  // Pictures and files: chosen, dropped, pasted; shown, saved.
  async files(w) {
    const { ann: a, ben: b } = w.pages
    await a.bringToFront()
    const png = await picture(a, 640, 420)
    const dir = mkdtempSync(join(w.dir, 'files'))
    writeFileSync(join(dir, 'lake.png'), png)
    writeFileSync(join(dir, 'evil\u202egpj.svg'), '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')
    await a.locator('input[type=file]').setInputFiles([join(dir, 'lake.png'), join(dir, 'evil\u202egpj.svg')])
    await a.locator('.line.mine .picture img').waitFor()
    await b.bringToFront()
    const img = b.locator('.line.theirs .picture img')
    await img.scrollIntoViewIfNeeded()
    await until('the picture', () => img.evaluate((i) => i.complete && i.naturalWidth === 640))
    await b.getByRole('button', { name: /^Get evil/ }).click()
    const save = b.getByRole('link', { name: /^Save evil/ })
    await save.waitFor()
    assert.ok(!(await save.getAttribute('aria-label')).includes('\u202e'))
    const [download] = await Promise.all([b.waitForEvent('download'), save.click()])
    assert.doesNotMatch(download.suggestedFilename(), /\u202e/)
    // dropped and pasted
    await b.evaluate(async (bytes) => {
      const data = new DataTransfer()
      data.items.add(new File([new Uint8Array(bytes)], 'dropped.txt', { type: 'text/plain' }))
      const main = document.getElementById('conversation')
      for (const kind of ['dragover', 'drop']) main.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }))
      const clip = new DataTransfer()
      clip.items.add(new File([new Uint8Array(bytes)], 'pasted.bin'))
      document.getElementById('compose').dispatchEvent(new ClipboardEvent('paste', { clipboardData: clip, bubbles: true, cancelable: true }))
    }, [...Buffer.alloc(1000, 65)])
    await b.locator('.line.mine .filename', { hasText: 'dropped.txt' }).waitFor()
    await b.locator('.line.mine .filename', { hasText: 'pasted.bin' }).waitFor()
    await a.bringToFront()
    const big = Buffer.alloc(2_500_000, 7)
    await a.locator('input[type=file]').setInputFiles({ name: 'big.bin', mimeType: 'application/octet-stream', buffer: big })
    await a.locator('.line.mine .filename', { hasText: 'big.bin' }).waitFor()
    await b.bringToFront()
    await b.getByRole('button', { name: 'Get big.bin' }).click()
    await b.getByRole('link', { name: 'Save big.bin' }).waitFor()
    const [saved] = await Promise.all([b.waitForEvent('download'), b.getByRole('link', { name: 'Save big.bin' }).click()])
    assert.ok(readFileSync(await saved.path()).equals(big), 'the file is what was sent')
    await everyway(b, 'files', shot, true)
    quiet(b)
  },

  // A group of three; the removed one reads nothing newer.
  async group(w) {
    const { ann: a, ben: b } = w.pages
    const c = (w.pages.cleo = await w.page(w.cleo))
    await a.bringToFront()
    await addContact(a, w.cleo)
    await say(a, 'Cleo, this is Ann')
    await c.getByRole('tab', { name: /Requests/ }).click()
    await c.locator('.row').click()
    await c.getByRole('button', { name: 'Accept' }).click()
    await a.getByRole('button', { name: 'New group' }).click()
    await a.getByLabel('Name', { exact: true }).fill('Sunday walk')
    await a.getByRole('checkbox', { name: 'Ben' }).check()
    await a.getByRole('checkbox', { name: 'Cleo' }).check()
    await everyway(a, 'new-group', shot)
    await a.getByRole('button', { name: 'Create' }).click()
    await a.locator('.talkhead h1', { hasText: 'Sunday walk' }).waitFor()
    await say(a, 'Who brings the cake?')
    for (const p of [b, c]) {
      await p.bringToFront()
      await p.getByRole('tab', { name: 'Chats' }).click()
      const row = p.locator('.row', { hasText: 'Sunday walk' })
      await row.locator('.tag', { hasText: 'new' }).waitFor() // nobody has looked
      if (p === b) await everyway(b, 'invited', shot)
      await openTalk(p, 'Sunday walk')
      await heard(p, 'Who brings')
      await until('it has been looked at', async () => (await row.locator('.tag').count()) === 0)
    }
    await say(c, 'I do 🎂')
    await heard(b, 'I do')
    await b.bringToFront()
    await say(b, 'And I bring coffee ☕')
    await heard(a, 'And I bring coffee')
    await a.bringToFront()
    await until('read by both', async () => /read by 2/.test(await a.locator('.line.mine .mark').last().getAttribute('title')))
    await a.getByRole('button', { name: 'Group details' }).click()
    await everyway(a, 'group', shot)
    const row = a.locator('.members li', { hasText: 'Cleo' })
    await row.getByRole('button', { name: 'Remove' }).click()
    await row.getByRole('button', { name: 'Sure?' }).click()
    await until('Cleo is gone', async () => (await a.locator('.members li').count()) === 2)
    await a.keyboard.press('Escape')
    await say(a, 'Only Ben reads this')
    await heard(b, 'Only Ben reads this')
    await c.locator('.decide', { hasText: 'not in this group any more' }).waitFor()
    await b.bringToFront()
    await say(b, 'So do I think')
    await heard(a, 'So do I think')
    assert.equal(await c.locator('.text', { hasText: 'Only Ben' }).count(), 0, 'the removed one reads it')
    await c.bringToFront()
    await everyway(c, 'removed', shot)
    for (const p of [a, b, c]) quiet(p)
  },

  // Somebody joins by a link, another asks first; a link that is revoked lets nobody in. Where the engine knows links.
  async links(w) {
    const a = w.pages.ann
    if (!(await a.evaluate(async () => (await (await fetch('/api/state')).json()).me.links))) return
    const [dora, emil] = await Promise.all(['Dora', 'Emil'].map((n) => w.person(n)))
    const d = await w.page(dora), e = await w.page(emil)
    await a.bringToFront()
    await a.getByRole('button', { name: 'New group' }).click()
    await a.getByLabel('Name', { exact: true }).fill('Book club')
    await a.getByRole('button', { name: 'Create' }).click()
    await a.locator('.talkhead h1', { hasText: 'Book club' }).waitFor()
    await a.getByRole('button', { name: 'Group details' }).click()
    const link = async (nth) => {
      await a.getByRole('button', { name: 'Make a link' }).click()
      const all = a.locator('.links .keytext code')
      await until('the link', async () => (await all.count()) === nth + 1)
      return (await all.allTextContents()).map((t) => t.replaceAll('\u200b', ''))
    }
    const [free] = await link(0)
    assert.match(free, /^viscript:join\//)
    await a.getByRole('checkbox', { name: 'an admin lets each in' }).check()
    const ask = (await link(1)).find((t) => t !== free)
    await everyway(a, 'links', shot)
    const join = async (p, text) => {
      await p.bringToFront()
      await p.getByRole('button', { name: 'New group' }).click()
      await p.getByLabel('Or join by a link').fill(text)
      await p.getByRole('button', { name: 'Join', exact: true }).click()
    }
    await join(d, free)
    await d.locator('.rowname', { hasText: 'Book club' }).waitFor()
    await join(e, ask)
    await e.getByRole('tab', { name: /Requests/ }).click()
    await a.bringToFront()
    await a.getByRole('button', { name: 'Let in' }).click()
    await until('three members', async () => (await a.locator('.members').first().locator('li').count()) === 3)
    await e.getByRole('tab', { name: 'Chats' }).click()
    await e.locator('.rowname', { hasText: 'Book club' }).waitFor()
    for (let n = 2; n > 0; n--) {
      const revoke = a.locator('.links').getByRole('button', { name: 'Revoke' })
      await revoke.first().click()
      await a.getByRole('button', { name: 'Sure?' }).click()
      await until('the link is gone', async () => (await a.locator('.links .keytext').count()) === n - 1)
    }
    await a.keyboard.press('Escape')
    await say(a, 'Welcome, both')
    await d.bringToFront()
    await openTalk(d, 'Book club')
    await heard(d, 'Welcome, both')
    for (const p of [d, e]) {
      quiet(p)
      await p.context().close()
    }
    for (const p of [dora, emil]) await p.chat.stop()
    await a.bringToFront()
    await openTalk(a, 'Sunday walk')
  },

  // Ben is away, and the messenger is killed meanwhile: all arrives, once and in order.
  async offline(w) {
    const { ann: a, ben: b } = w.pages
    await a.bringToFront()
    await openTalk(a, 'Ben')
    await w.ben.chat.stop()
    await b.bringToFront()
    await b.locator('.banner', { hasText: 'does not answer' }).waitFor()
    await accessible(b, 'the program is away')
    await a.bringToFront()
    for (const n of [1, 2, 3]) await say(a, `while you were away ${n}`)
    await w.messenger.stop('SIGKILL')
    await say(a, 'while you were away 4')
    await w.startMessenger()
    await say(a, 'while you were away 5')
    await w.ben.restart()
    await b.getByRole('heading', { name: 'This page has ended' }).waitFor()
    await accessible(b, 'the end')
    await b.context().close()
    w.pages.ben = await w.page(w.ben)
    await openTalk(w.pages.ben, 'Ann')
    await heard(w.pages.ben, 'while you were away 5')
    const got = await w.pages.ben.locator('.line.theirs .text', { hasText: 'while you were away' }).allTextContents()
    assert.deepEqual(got, [1, 2, 3, 4, 5].map((n) => `while you were away ${n}`))
    await a.locator('.line.mine').last().locator('.mark.delivered, .mark.read').waitFor()
    quiet(a)
  },

  async search(w) {
    const a = w.pages.ann
    await a.bringToFront()
    await a.keyboard.press('Control+k')
    await a.keyboard.type('CAKE')
    const found = a.locator('#results .row', { hasText: 'Who brings the' })
    await found.waitFor()
    assert.equal(await found.locator('mark').textContent(), 'cake')
    await everyway(a, 'search', shot)
    await a.getByRole('searchbox', { name: 'Search people and messages' }).fill('CAKE')
    await found.click()
    await a.locator('.talkhead h1', { hasText: 'Sunday walk' }).waitFor()
    await a.locator('.line.mine', { hasText: 'Who brings the cake?' }).waitFor()
    await a.getByRole('searchbox').fill('nothing like this')
    await a.getByText('Nothing found for').waitFor()
    await a.getByRole('searchbox').press('Escape')
    await a.getByRole('tab', { name: 'Chats' }).waitFor()
    quiet(a)
  },

  // Safety number: the same for both; verified, blocked, unblocked.
  async details(w) {
    const { ann: a, ben: b } = w.pages
    const digits = []
    for (const [p, who] of [[a, 'Ben'], [b, 'Ann']]) {
      await p.bringToFront()
      await p.getByRole('tab', { name: 'Chats' }).click()
      await openTalk(p, who)
      await p.getByRole('button', { name: 'Contact details' }).click()
      await until('the digits', async () => (await p.locator('.digits span').count()) === 12)
      digits.push(await p.locator('.digits').textContent())
    }
    assert.equal(digits[0], digits[1])
    assert.equal(digits[0].length, 60)
    await b.getByRole('checkbox', { name: 'We have compared it' }).check()
    await b.locator('.bigname .verified').waitFor()
    await everyway(b, 'contact', shot, true)
    await b.getByRole('button', { name: 'Block', exact: true }).click()
    await b.getByRole('button', { name: 'Block this person?' }).click()
    await b.getByRole('dialog').getByRole('button', { name: 'Unblock' }).waitFor()
    await b.keyboard.press('Escape')
    await b.locator('.decide', { hasText: 'blocked' }).waitFor()
    await accessible(b, 'blocked')
    await b.getByRole('button', { name: 'Unblock' }).click()
    await b.locator('#compose').waitFor()
    await b.getByRole('button', { name: /^You are Ben/ }).click()
    await everyway(b, 'me', shot)
    await b.getByRole('dialog').getByRole('button', { name: 'Copy' }).click()
    await b.locator('.toast', { hasText: 'Copied' }).waitFor()
    assert.ok((await b.evaluate(() => navigator.clipboard.readText())).startsWith(w.ben.key))
    await b.keyboard.press('Escape')
    await b.getByRole('button', { name: 'New contact' }).click()
    await b.getByLabel('Key', { exact: true }).fill('no key')
    await b.getByRole('button', { name: 'Add', exact: true }).click()
    await b.getByRole('alert').waitFor()
    await everyway(b, 'new-contact', shot)
    await b.keyboard.press('Escape')
    await b.getByRole('button', { name: 'Emoji' }).click()
    await everyway(b, 'emoji', shot)
    await b.getByRole('searchbox', { name: 'Search emoji' }).press('Escape')
    await a.keyboard.press('Escape')
  },

  devices,
  history,
  notices,

  async theme(w) {
    const a = w.pages.ann
    await a.bringToFront()
    const ground = () => a.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
    const light = await ground()
    await a.getByRole('button', { name: /^You are Ann/ }).click()
    await a.getByRole('radio', { name: 'Dark' }).check()
    const dark = await ground()
    assert.notEqual(light, dark)
    await a.reload()
    await a.locator('.whoname').waitFor()
    assert.equal(await ground(), dark, 'the choice stays')
    await a.getByRole('button', { name: /^You are Ann/ }).click()
    await a.getByRole('radio', { name: 'System' }).check()
    assert.equal(await ground(), light)
    await a.emulateMedia({ colorScheme: 'dark' })
    assert.equal(await ground(), dark)
    await a.emulateMedia({ colorScheme: 'light' })
    await a.keyboard.press('Escape')
  },

  // Without a mouse: a conversation, a message, a reply, an emoji, a dialog.
  async keyboard(w) {
    const a = w.pages.ann
    await a.reload()
    await a.locator('.row').first().waitFor()
    const focus = () => a.evaluate(() => {
      const e = document.activeElement
      if (e === document.body) return ''
      return e?.getAttribute('aria-label') || e?.textContent?.trim() || e?.id || e?.tagName || ''
    })
    const tabTo = async (pattern, key = 'Tab') => {
      for (let i = 0; i < 40; i++) {
        if (pattern.test(await focus())) return
        await a.keyboard.press(key)
      }
      assert.fail(`Tab does not reach ${pattern}: at ${await focus()}`)
    }
    await a.keyboard.press('Tab')
    assert.match(await focus(), /Skip to/)
    await tabTo(/^Chats/)
    await a.keyboard.press('ArrowRight')
    assert.match(await focus(), /^People/)
    await a.keyboard.press('ArrowLeft')
    await tabTo(/Ben|Sunday walk|Cleo/)
    const first = await focus()
    await a.keyboard.press('ArrowDown')
    assert.notEqual(await focus(), first)
    await a.keyboard.press('Home')
    assert.equal(await focus(), first)
    for (let i = 0; i < 5 && !/^Ben/.test(await focus()); i++) await a.keyboard.press('ArrowDown')
    await a.keyboard.press('Enter')
    await a.locator('.talkhead h1', { hasText: 'Ben' }).waitFor()
    await until('the composer has the focus', async () => /Message to Ben/.test(await focus()))
    await a.keyboard.type('typed, not clicked')
    await a.keyboard.press('Shift+Enter')
    await a.keyboard.type('second line')
    await a.keyboard.press('Enter')
    await a.locator('.line.mine .text', { hasText: 'typed, not clicked' }).waitFor()
    assert.match(await a.locator('.line.mine .text').last().textContent(), /clicked\nsecond line/)
    await until('an empty composer', async () => (await a.locator('#compose').inputValue()) === '')
    await a.keyboard.press('ArrowUp')
    assert.match(await focus(), /typed, not clicked/)
    await a.keyboard.press('ArrowUp')
    await a.keyboard.press('Tab')
    assert.equal(await focus(), 'Reply')
    await a.keyboard.press('Enter')
    await a.locator('.replying').waitFor()
    await until('the composer has the focus', async () => /Message to Ben/.test(await focus()))
    await a.keyboard.press('Escape')
    assert.equal(await a.locator('.replying').count(), 0)
    await a.keyboard.press('Tab')
    assert.equal(await focus(), 'Emoji')
    await a.keyboard.press('Enter')
    await until('the search of emoji has the focus', async () => (await focus()) === 'Search emoji')
    await a.keyboard.type('rocket')
    await a.keyboard.press('ArrowDown')
    assert.match(await focus(), /rocket/)
    await a.keyboard.press('Enter')
    await a.keyboard.press('Escape')
    await until('the composer has the focus', async () => /Message to Ben/.test(await focus()))
    assert.equal(await a.locator('#compose').inputValue(), '🚀')
    await a.keyboard.press('Enter')
    await a.locator('.text.big', { hasText: '🚀' }).waitFor()
    await tabTo(/^Contact details/, 'Shift+Tab')
    await a.keyboard.press('Enter')
    await a.locator('dialog[open]').waitFor()
    for (let i = 0; i < 25; i++) {
      await a.keyboard.press('Tab')
      assert.ok(await a.evaluate(() => document.activeElement === document.body || !!document.activeElement.closest('dialog')), 'the focus stays in the dialog')
    }
    await a.keyboard.press('Escape')
    await until('the dialog is closed', async () => (await a.locator('dialog').count()) === 0)
    assert.match(await focus(), /^Contact details/, 'the focus comes back')
    quiet(a)
  },

  // On a phone: one pane at a time, and back.
  async phone(w) {
    const a = w.pages.ann
    await a.setViewportSize({ width: 360, height: 720 })
    await a.getByRole('button', { name: 'Back to the list' }).click()
    await a.locator('.side').waitFor()
    assert.equal(await a.locator('main').isVisible(), false)
    await everyway(a, 'list', shot, true)
    await openTalk(a, 'Sunday walk')
    assert.equal(await a.locator('.side').isVisible(), false)
    await shot(a, 'group-phone')
    await a.goBack()
    await a.locator('.side').waitFor()
    await a.setViewportSize({ width: 1180, height: 780 })
  },

  // Other pages in the same browser, and pages whose name leads here, get nothing.
  elsewhere,

  async signout(w) {
    const b = w.pages.ben
    await b.bringToFront()
    await b.getByRole('button', { name: /^You are Ben/ }).click()
    await b.getByRole('button', { name: 'Sign out of this browser' }).click()
    await b.getByRole('heading', { name: 'This page has ended' }).waitFor()
    const again = await b.goto(w.ben.link)
    assert.equal(again.status(), 401, 'a link opens once')
  },
}
