import { envName, SETTINGS } from '../../services/peer/config.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { formatDuration, formatSize } from '../../services/peer/units.ts'

/** The README's table of settings. */
export function settingsTable(): string {
  const rows = SETTINGS.map(setting => {
    const standard = setting.default === undefined ? '' : `\`${setting.default}\``
    return `| \`--${setting.flag}\` | \`${envName(setting)}\` | ${standard} | ${setting.what.replaceAll(/[|<]/g, '\\$&')} |`
  })
  return ['| flag | environment | default | what it does |', '|---|---|---|---|', ...rows].join('\n')
}

/** The README's table of the limits that users meet. */
export function limitsTable(): string {
  const number = (value: number) => value.toLocaleString('en-US')
  const rows = [
    ['Topic name', `1 to ${LIMITS.MAX_TOPIC_NAME_BYTES} bytes of UTF-8 without control characters`],
    ['Payload of one event', '1MiB; `--max-payload`'],
    ['Batch', `${number(LIMITS.MAX_BATCH_EVENTS)} events and 8MiB; \`--max-batch\``],
    [
      'Idempotency key',
      `${LIMITS.MAX_IDEMPOTENCY_KEY_BYTES} bytes, remembered for ${formatDuration(LIMITS.KEY_WINDOW_MS)}`,
    ],
    [
      'Idempotency keys remembered',
      `${number(LIMITS.MAX_KEYS_PER_SLOT)} in each slot; then keyed publishes are refused`,
    ],
    [
      'CloudEvents attributes of one event',
      `${LIMITS.MAX_ATTRIBUTES}, names of ${LIMITS.MAX_ATTRIBUTE_NAME_BYTES} and values of ${number(LIMITS.MAX_ATTRIBUTE_VALUE_BYTES)} bytes`,
    ],
    ['Headers of one request', formatSize(LIMITS.MAX_HEADER_BYTES)],
    ['Topics', `${number(LIMITS.MAX_TOPICS_PER_SLOT)} in each slot`],
    ['Slots', `${number(LIMITS.MAX_SLOTS)}; \`--slots\``],
    ['Replicas of a slot', `${LIMITS.REPLICAS}, fewer where there are fewer peers`],
    ['Streams of one peer', number(LIMITS.MAX_STREAMS)],
    ['Items of one page', number(LIMITS.MAX_PAGE)],
    ['Width of a label', `${LIMITS.MAX_DIMENSION} digits`],
  ]
  return ['| what | limit |', '|---|---|', ...rows.map(([what, limit]) => `| ${what} | ${limit} |`)].join(
    '\n',
  )
}

/** `text` with what stands between the comments `<!-- name -->` and `<!-- /name -->` replaced. */
export function withTable(text: string, name: string, table: string): string {
  const block = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`)
  if (!block.test(text)) throw new Error(`the text has no place for the table of ${name}`)
  return text.replace(block, (_, open: string, close: string) => `${open}${table}\n${close}`)
}
