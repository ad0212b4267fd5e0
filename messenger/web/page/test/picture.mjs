/** picture is a PNG, drawn by the browser. */
export async function picture(page, width, height) {
  const data = await page.evaluate(async ([width, height]) => {
    const c = new OffscreenCanvas(width, height), g = c.getContext('2d')
    const sky = g.createLinearGradient(0, 0, 0, height)
    sky.addColorStop(0, '#3b6ea8'), sky.addColorStop(0.55, '#f4c58a'), sky.addColorStop(1, '#8fb7c9')
    g.fillStyle = sky, g.fillRect(0, 0, width, height)
    g.fillStyle = '#fff4d6', g.beginPath(), g.arc(width * 0.7, height * 0.42, 34, 0, 7), g.fill()
    for (const [base, top, colour] of [[0.62, 0.25, '#4d6b6f'], [0.7, 0.4, '#2f4f4f']]) {
      g.fillStyle = colour, g.beginPath(), g.moveTo(0, height)
      for (let x = 0; x <= width; x += 8) g.lineTo(x, height * (base - top * Math.abs(Math.sin(x / 130 + base * 9)) * 0.7))
      g.lineTo(width, height), g.fill()
    }
    g.fillStyle = 'rgba(120,170,190,.85)', g.fillRect(0, height * 0.72, width, height)
    const b = new Uint8Array(await (await c.convertToBlob({ type: 'image/png' })).arrayBuffer())
    return [...b]
  }, [width, height])
  return Buffer.from(data)
}
