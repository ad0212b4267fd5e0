import assert from 'node:assert/strict'
import { createServer, request } from 'node:http'

// attack is what a hostile page tries; it says what it got.
const attack = `async (target) => {
  const got = []
  const host = target.origin
  const tryFetch = async (name, path, init) => {
    try {
      const r = await fetch(host + path, init)
      const text = await r.text()
      if (r.ok || text) got.push(name + ': ' + r.status + ' ' + text.slice(0, 80))
    } catch {}
  }
  for (const mode of ['cors', 'no-cors']) {
    await tryFetch(mode + ' state', '/api/state', { mode, credentials: 'include' })
    await tryFetch(mode + ' page', '/', { mode, credentials: 'include' })
    await tryFetch(mode + ' send', '/api/send', { mode, credentials: 'include', method: 'POST', body: JSON.stringify({ talk: target.talk, text: 'forged' }) })
  }
  await tryFetch('json', '/api/send', { credentials: 'include', method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ talk: target.talk, text: 'forged' }) })
  await new Promise((done) => { const i = new Image(); i.onload = () => { got.push('picture'); done() }; i.onerror = done; i.src = host + '/assets/icon.svg' })
  await new Promise((done) => { const s = document.createElement('script'); s.onload = () => { got.push('script'); done() }; s.onerror = done; s.src = host + target.script; document.body.append(s) })
  await new Promise((done) => { const e = new EventSource(host + '/api/events', { withCredentials: true }); e.onopen = () => { got.push('events'); done() }; e.onerror = () => { e.close(); done() } })
  await new Promise((done) => { const f = document.createElement('iframe'); f.onload = () => { try { if (f.contentDocument.body.textContent) got.push('frame') } catch {} done() }; f.src = host + '/'; document.body.append(f); setTimeout(done, 3000) })
  const form = document.createElement('form')
  form.method = 'POST', form.enctype = 'text/plain', form.action = host + '/api/send', form.target = 'x'
  const field = document.createElement('input')
  field.name = '{"talk":"' + target.talk + '","text":"forged","x":"', field.value = '"}'
  form.append(field)
  const frame = document.createElement('iframe')
  frame.name = 'x'
  document.body.append(frame, form)
  await new Promise((done) => { frame.onload = done; form.submit(); setTimeout(done, 2000) })
  return got
}`

/** raw asks a server without a browser's manners. */
function raw(port, path, headers, method = 'GET') {
  return new Promise((done, fail) => {
    const r = request({ host: '127.0.0.1', port, path, method, headers }, (resp) => {
      let text = ''
      resp.on('data', (b) => (text += b))
      resp.on('end', () => done({ status: resp.statusCode, text, headers: resp.headers }))
    })
    r.on('error', fail)
    r.end()
  })
}

/** elsewhere: pages of other origins in the browser that is signed in, and names that lead to the server's address. */
export async function elsewhere(w) {
  const a = w.pages.ann
  const context = a.context()
  const evil = createServer((_, resp) => resp.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>evil</title><body>'))
  await new Promise((r) => evil.listen(0, '127.0.0.1', r))
  const { port } = evil.address()
  const script = await a.evaluate(() => new URL(document.querySelector('script').src).pathname)
  const name = new URL(w.ann.origin).hostname
  const before = await a.evaluate(async (talk) => (await (await fetch('/api/history?talk=' + talk)).json()).length, w.ben.key)
  try {
    for (const from of [`http://127.0.0.1:${port}`, `http://localhost:${port}`, `http://evil.localhost:${port}`, `http://${name}:${port}`]) {
      const page = await context.newPage()
      await page.goto(from + '/')
      const got = await page.evaluate(`(${attack})(${JSON.stringify({ origin: w.ann.origin, talk: w.ben.key, script })})`)
      // another port of our own name is another origin, but the same site: no-cors answers are opaque, and the server refuses them as well
      assert.deepEqual(got, [], `a page at ${from}`)
      await page.close()
    }
    // rebinding: the browser believes that the page and the server are one origin
    const rebound = await context.newPage()
    await assert.rejects(rebound.goto(`http://rebound.localhost:${w.ann.port}/`), /ERR_HTTP_RESPONSE_CODE_FAILURE/) // 403, and nothing
    await rebound.close()
    const cookie = (await context.cookies(w.ann.origin)).map((c) => `${c.name}=${c.value}`).join('; ')
    assert.match(cookie, /^chat=.{43}$/)
    for (const host of ['evil.example', `evil.example:${w.ann.port}`, `127.0.0.1:${w.ann.port}`, 'localhost']) {
      const r = await raw(w.ann.port, '/api/state', { Host: host, Cookie: cookie })
      assert.deepEqual([r.status, r.text, r.headers['set-cookie']], [403, '', undefined], `as ${host}`)
    }
    const ok = await raw(w.ann.port, '/api/state', { Host: new URL(w.ann.origin).host, Cookie: cookie })
    assert.equal(ok.status, 200)
    const cookies = await context.cookies(w.ann.origin)
    assert.deepEqual(cookies.map((c) => [c.httpOnly, c.sameSite, c.domain]), [[true, 'Strict', name]])
    const after = await a.evaluate(async (talk) => (await (await fetch('/api/history?talk=' + talk)).json()).length, w.ben.key)
    assert.equal(after, before, 'nothing was sent')
  } finally {
    evil.closeAllConnections()
    await new Promise((r) => evil.close(r))
  }
}
