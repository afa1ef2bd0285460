/**
 * To be imported before everything else (`node --import '…/load.ts?mutant=<name>'`): replaces one line of the product in
 * this process as its file is loaded. The product itself knows nothing of it.
 */
import { registerHooks } from 'node:module'
import { mutate } from './mutant.ts'
import { MUTANTS } from './table.ts'

const PRODUCT = new URL('../../../services/peer/', import.meta.url)

const name = new URL(import.meta.url).searchParams.get('mutant')
const mutant = MUTANTS.find(one => one.name === name)
if (mutant === undefined) throw new Error(`there is no mutant "${name}"`)
const target = new URL(mutant.file, PRODUCT).href

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (url !== target) return loaded
    const { source } = loaded
    if (source === null || source === undefined) throw new Error(`${url} was loaded without its source`)
    const text = typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString()
    return { ...loaded, source: mutate(text, mutant) }
  },
})
