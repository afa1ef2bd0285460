import { ERRORS, type ErrorRow } from '../errors.ts'

const INTRO =
  'Every error is application/problem+json (RFC 9457). Its code is stable; its type refers to the code’s place on this page.'

const rows = (): [string, ErrorRow][] =>
  Object.entries(ERRORS).sort(([one], [other]) => (one < other ? -1 : 1))

/** docs/ERRORS.md, made from the table of errors. */
export function errorMarkdown(): string {
  const sections = rows().map(([code, row]) => {
    const retry = row.retryAfterS === undefined ? '' : ` Retry-After: ${row.retryAfterS} s.`
    return `## ${code}\n\n**${row.status}** ${row.title}.${retry}\n\n${row.remedy}\n`
  })
  return `# Errors\n\n<!-- Made from services/peer/errors.ts by npm run openapi. -->\n\n${INTRO}\n\n${sections.join('\n')}`
}

/** The page at /docs/errors that `type` refers to. */
export function errorPage(): string {
  const sections = rows().map(
    ([code, row]) =>
      `<section id="${code}"><h2>${code}</h2><p><b>${row.status}</b> ${escapeHtml(row.title)}.</p><p>${escapeHtml(row.remedy)}</p></section>`,
  )
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Hypercast: errors</title>
<style>body{font:16px/1.5 system-ui;max-width:48em;margin:2em auto;padding:0 1em}section:target{background:#ffc}</style>
<h1>Errors</h1><p>${INTRO}</p>
${sections.join('\n')}</html>\n`
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
