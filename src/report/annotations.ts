/** GitHub shows so many annotations of each level for a step, and drops the others without a word. */
const MOST = 10

/** The texts of annotations: of more than ten, the last says how many are not shown. */
export function atMostTen(problems: readonly string[]): string[] {
  if (problems.length <= MOST) return [...problems]
  const shown = problems.slice(0, MOST - 1)
  return [...shown, `${problems.length - shown.length} more problems; the summary and the log of this step have them.`]
}

/** Annotates a problem once, and nine of them; a tenth annotation says that the log has the others. */
export function annotating(to: { annotate(text: string): void; line(text: string): void }): (text: string) => void {
  const annotated = new Set<string>()
  return (text) => {
    if (annotated.has(text)) return
    if (annotated.size === MOST - 1) to.annotate('There are more warnings; the log of this step has them.')
    if (annotated.size < MOST - 1) to.annotate(text)
    else to.line(`warning: ${text}`)
    if (annotated.size < MOST_REMEMBERED) annotated.add(text)
  }
}

/** A limit of memory: programs and stores may cause any number of warnings. */
const MOST_REMEMBERED = 1000
