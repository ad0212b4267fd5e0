// A picture of a key: five by five cells, left like right, in two colours of the key. It helps to tell people apart; it proves nothing, the
// safety number does.

function numbers(id: string): number[] {
  const hex = id.replace(/^group:/, '')
  const from = hex.length === 66 ? 2 : 0 // a key's first byte is 2 or 3
  const out: number[] = []
  for (let i = from; i + 1 < hex.length; i += 2) out.push(parseInt(hex.slice(i, i + 2), 16))
  return out
}

export function Identicon({ id, size = 40 }: { id: string; size?: number }) {
  const b = numbers(id)
  const at = (i: number) => b[i % b.length] ?? 0
  const hue = Math.round(((at(0) * 256 + at(1)) / 65536) * 360)
  const other = (hue + 30 + (at(2) % 5) * 36) % 360
  const cells = []
  for (let y = 0; y < 5; y++) {
    for (let x = 0; x < 3; x++) {
      const v = at(3 + y * 3 + x)
      if (v < 96) continue
      const fill = v > 195 ? `hsl(${other} 68% 46%)` : `hsl(${hue} 58% 42%)`
      const both = x < 2 ? [x, 4 - x] : [x]
      for (const col of both) {
        const cx = 10 + col * 6, cy = 10 + y * 6
        cells.push(v % 3 === 0
          ? <circle cx={cx + 3} cy={cy + 3} r="3" fill={fill} />
          : <rect x={cx} y={cy} width="6" height="6" rx={v % 3 === 1 ? 1 : 2.5} fill={fill} />)
      }
    }
  }
  return (
    <svg class="identicon" width={size} height={size} viewBox="0 0 50 50" aria-hidden="true" focusable="false">
      <rect width="50" height="50" rx={id.startsWith('group:') ? 14 : 25} fill={`hsl(${hue} 45% 90%)`} />
      {cells}
    </svg>
  )
}
