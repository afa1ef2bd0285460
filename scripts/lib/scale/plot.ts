/** One line of a plot: what was measured has a dot for each point, a formula is dashed. */
export interface Series {
  readonly name: string
  readonly kind: 'measured' | 'formula'
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

export interface Plot {
  readonly title: string
  readonly xLabel: string
  readonly yLabel: string
  readonly yScale: 'linear' | 'log'
  readonly series: readonly Series[]
}

const WIDTH = 760
const HEIGHT = 400
const LEFT = 70
const RIGHT = 220
const TOP = 40
const BOTTOM = 50
const TICKS = 6
/** Colours that stand out from white and from black. */
const COLOURS = ['#2f7ed8', '#d9632a', '#3a9d5d', '#a05fc0', '#c9a227', '#c0405f']

const STYLE = `
    text { font: 12px system-ui, sans-serif; fill: #24292f }
    .title { font-size: 15px; font-weight: 600 }
    .axis { stroke: #57606a; fill: none }
    .grid { stroke: #d0d7de; stroke-width: 0.5 }
    .line { fill: none; stroke-width: 2 }
    .formula { stroke-dasharray: 5 4; stroke-width: 1.5 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .axis { stroke: #9198a1 }
      .grid { stroke: #3d444d }
    }`

/**
 * A line plot as SVG, readable on light and dark pages; x is logarithmic to the base 2. On a logarithmic y axis points
 * at 0 or below are left out. Throws RangeError when there is no point to draw.
 */
export function plot({ title, xLabel, yLabel, yScale, series }: Plot): string {
  const isDrawn = ({ y }: { readonly y: number }) => yScale === 'linear' || y > 0
  const drawn = series.map(one => ({ ...one, points: one.points.filter(isDrawn) }))
  const points = drawn.flatMap(one => one.points)
  if (points.length === 0) throw new RangeError(`nothing to draw: ${title}`)
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b)
  const x = scale(Math.log2(xs[0]!), Math.log2(xs.at(-1)!), LEFT, WIDTH - RIGHT)
  const ys = points.map(point => point.y)
  const yTicks =
    yScale === 'linear' ? linearTicks(Math.max(...ys)) : logTicks(Math.min(...ys), Math.max(...ys))
  const bend = yScale === 'linear' ? (value: number) => value : Math.log10
  const y = scale(bend(yTicks[0]!), bend(yTicks.at(-1)!), HEIGHT - BOTTOM, TOP)
  const place = (point: { readonly x: number; readonly y: number }) =>
    `${x(Math.log2(point.x)).toFixed(1)},${y(bend(point.y)).toFixed(1)}`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    `  <title>${escaped(title)}</title>`,
    `  <style>${STYLE}\n  </style>`,
    `  <text class="title" x="${LEFT}" y="22">${escaped(title)}</text>`,
    ...yTicks.flatMap(tick => {
      const at = y(bend(tick)).toFixed(1)
      return [
        `  <line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>`,
        `  <text x="${LEFT - 8}" y="${at}" dy="4" text-anchor="end">${tickText(tick)}</text>`,
      ]
    }),
    ...spaced(xs, value => x(Math.log2(value))).flatMap(tick => {
      const at = x(Math.log2(tick)).toFixed(1)
      return [
        `  <line class="axis" x1="${at}" x2="${at}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM + 5}"/>`,
        `  <text x="${at}" y="${HEIGHT - BOTTOM + 19}" text-anchor="middle">${tickText(tick)}</text>`,
      ]
    }),
    `  <path class="axis" d="M${LEFT},${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}"/>`,
    `  <text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${escaped(xLabel)}</text>`,
    `  <text transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escaped(yLabel)}</text>`,
    ...drawn.flatMap((one, i) => lineOf(one, COLOURS[i % COLOURS.length]!, i, place)),
    '</svg>',
    '',
  ].join('\n')
}

function lineOf(
  { name, kind, points }: Series,
  colour: string,
  row: number,
  place: (point: { readonly x: number; readonly y: number }) => string,
): string[] {
  const isFormula = kind === 'formula'
  const classes = isFormula ? 'line formula' : 'line'
  const legendX = WIDTH - RIGHT + 16
  const legendY = TOP + 10 + row * 20
  const dots = isFormula ? [] : points.map(point => dot(place(point), colour))
  return [
    `  <polyline class="${classes}" stroke="${colour}" points="${points.map(place).join(' ')}"/>`,
    ...dots,
    `  <line class="${classes}" stroke="${colour}" x1="${legendX}" x2="${legendX + 24}" y1="${legendY}" y2="${legendY}"/>`,
    `  <text x="${legendX + 30}" y="${legendY}" dy="4">${escaped(name)}</text>`,
  ]
}

function dot(place: string, colour: string): string {
  const [x, y] = place.split(',')
  return `  <circle cx="${x}" cy="${y}" r="3.5" fill="${colour}"/>`
}

/** Maps [low, high] to [from, to]; a single value to the middle. */
function scale(low: number, high: number, from: number, to: number): (value: number) => number {
  if (low === high) return () => (from + to) / 2
  return value => from + ((value - low) / (high - low)) * (to - from)
}

/** From 0 to beyond the greatest value, in steps of 1, 2 or 5 times a power of ten. */
function linearTicks(most: number): number[] {
  const rough = Math.max(most, 1e-9) / TICKS
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map(times => times * power).find(one => one >= rough)!
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, i) => i * step)
}

/** Powers of ten from below the least value to above the greatest. */
function logTicks(least: number, most: number): number[] {
  const first = Math.floor(Math.log10(least))
  const last = Math.max(first + 1, Math.ceil(Math.log10(most)))
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i))
}

/** Leaves out values whose texts would overlap: powers of two stay. */
function spaced(values: readonly number[], place: (value: number) => number): number[] {
  const isPower = (value: number) => Number.isInteger(Math.log2(value))
  const kept = values.filter(isPower)
  for (const value of values) {
    if (kept.every(other => Math.abs(place(other) - place(value)) >= 24)) kept.push(value)
  }
  return kept
}

function tickText(value: number): string {
  return value >= 1_000 ? value.toLocaleString('en-US') : String(Number(value.toPrecision(3)))
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
