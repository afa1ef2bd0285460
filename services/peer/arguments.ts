import { Command, Option } from 'commander'
import { envSchema } from 'env-schema'
import { ConfigError, envName, type PeerConfig, SETTINGS, type Setting } from './config.ts'
import { completeConfig, parseSetting } from './config-check.ts'

/** Flags whose values are anybody's text, also one that looks like a flag. */
const BEFORE_TEXT: ReadonlySet<string | undefined> = new Set(['--data', '--type', '--id'])

/** Flags may be written with underscores too: `--node_id` is `--node-id`. */
export function normalizeFlags(argv: readonly string[]): string[] {
  const end = argv.indexOf('--')
  return argv.map((argument, index) => {
    if (!argument.startsWith('--') || (end !== -1 && index >= end)) return argument
    if (BEFORE_TEXT.has(argv[index - 1])) return argument
    const [flag, ...value] = argument.split('=')
    return [flag!.replaceAll('_', '-'), ...value].join('=')
  })
}

/** Gives `command` one option per setting, except those named in `without`. */
export function addSettings(command: Command, without: readonly (keyof PeerConfig)[] = []): Command {
  for (const setting of SETTINGS) {
    if (without.includes(setting.key)) continue
    const option = new Option(flagOf(setting), describe(setting))
    command.addOption(option)
  }
  return command
}

/** The flag as `--help` shows it, with its placeholder. */
export function flagOf(setting: Setting): string {
  return setting.kind === 'switch' ? `--${setting.flag}` : `--${setting.flag} <${placeholder(setting)}>`
}

function placeholder(setting: Setting): string {
  return setting.kind.replace('OrNone', '')
}

function describe(setting: Setting): string {
  const standard = setting.default && setting.kind !== 'switch' ? ` [default: ${setting.default}]` : ''
  return `${setting.what}${standard} (${envName(setting)})`
}

/**
 * The configuration from flags (as commander parsed them: by camelCase flag), then the environment, then defaults.
 * Throws ConfigError.
 */
export function resolveConfig(
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): PeerConfig {
  const fromEnv = readEnvironment(environment)
  const values: Record<string, unknown> = {}
  const given = new Set<keyof PeerConfig>()
  for (const setting of SETTINGS) {
    const flag = flags[camelCase(setting.flag)]
    const variable = fromEnv[envName(setting)]
    const isVariable = flag === undefined && variable !== undefined && variable !== ''
    if (flag !== undefined || isVariable) given.add(setting.key)
    if (flag !== undefined) values[setting.key] = parseSetting(setting, String(flag), `--${setting.flag}`)
    else if (isVariable) values[setting.key] = parseSetting(setting, variable, envName(setting))
    else if (setting.default !== undefined) {
      values[setting.key] = parseSetting(setting, setting.default, `--${setting.flag}`)
    }
  }
  return completeConfig(values, given)
}

function readEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const properties = Object.fromEntries(SETTINGS.map(setting => [envName(setting), { type: 'string' }]))
  return envSchema<Record<string, string>>({
    schema: { type: 'object', properties },
    data: { ...environment },
    env: false,
  })
}

/** What commander says about a wrong argument, as one line. */
export function oneLine(message: string): string {
  return message
    .trim()
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
}

/** `node-id` -> `nodeId`, as commander names its values. */
export function camelCase(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/**
 * The configuration of `hypercast peer` from its arguments (without node and script) and environment.
 * Throws ConfigError, also for flags that do not exist.
 */
export function parsePeerArguments(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): PeerConfig {
  const command = addSettings(new Command('peer'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  try {
    command.parse(normalizeFlags(argv), { from: 'user' })
  } catch (error) {
    throw new ConfigError(oneLine((error as Error).message))
  }
  return resolveConfig(command.opts(), environment)
}
