import ts from 'typescript'
import type { Block } from './markdown.js'

/** Blocks of JavaScript or TypeScript that form one program, as if a reader wrote them one below the other. */
export interface Program { blocks: Block[] }

/** The names that a block declares at its top. */
function declaredIn({ text, language }: Block): string[] {
  const names: string[] = []
  const take = (name: ts.BindingName): void => {
    if (ts.isIdentifier(name)) names.push(name.text)
    else for (const element of name.elements) if (!ts.isOmittedExpression(element)) take(element.name)
  }
  for (const statement of ts.createSourceFile(`block.${language}`, text, ts.ScriptTarget.Latest).statements) {
    if (ts.isVariableStatement(statement)) for (const { name } of statement.declarationList.declarations) take(name)
    if ((ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) && statement.name !== undefined) take(statement.name)
    if (!ts.isImportDeclaration(statement)) continue
    const { name, namedBindings } = statement.importClause ?? {}
    if (name !== undefined) take(name)
    if (namedBindings === undefined) continue
    if (ts.isNamespaceImport(namedBindings)) take(namedBindings.name)
    else for (const element of namedBindings.elements) take(element.name)
  }
  return names
}

/** Joins blocks into programs. A block that declares a name that the program has already begins the next program. */
export function programsOf(blocks: readonly Block[]): Program[] {
  const programs: Program[] = []
  let declared = new Set<string>()
  for (const block of blocks) {
    const names = declaredIn(block)
    if (programs.length === 0 || names.some((name) => declared.has(name))) {
      programs.push({ blocks: [] })
      declared = new Set()
    }
    programs.at(-1)!.blocks.push(block)
    for (const name of names) declared.add(name)
  }
  return programs
}

/** The text of a program. Its lines have the same numbers as in the document. After each block it waits for permission to go on. */
export function textOf({ blocks }: Program): string {
  const lines: string[] = []
  for (const { line, text } of blocks) {
    while (lines.length < line) lines.push('')
    lines.push(...text.split('\n'), 'await globalThis.nextBlock()')
  }
  const whole = lines.join('\n')
  if (blocks.every(({ language }) => language === 'js')) return whole
  return ts.transpileModule(whole, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } }).outputText
}
