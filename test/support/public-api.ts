import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Something that programs call: a function, or a method of a class or an interface. */
export interface PublicCall {
  /** 'parseRules', 'Ipvs.addService'. */
  name: string
  /** How an example calls it. */
  spelled: string
  /** What its own documentation has as examples, and that of its class. */
  examples: string
}

/** What programs call, by the entry points of the documentation. */
export function publicCalls(): PublicCall[] {
  const { entryPoints } = JSON.parse(ts.sys.readFile(`${root}typedoc.json`)!) as { entryPoints: string[] }
  const { config } = ts.readConfigFile(`${root}lib/tsconfig.json`, (path) => ts.sys.readFile(path)) as { config: object }
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, `${root}lib`)
  const program = ts.createProgram(entryPoints.map((path) => root + path), options)
  const checker = program.getTypeChecker()

  const examplesOf = (symbol: ts.Symbol): string => symbol.getJsDocTags(checker).filter(({ name }) => name === 'example')
    .map(({ text }) => ts.displayPartsToString(text)).join('\n')
  const isOurs = (symbol: ts.Symbol): boolean => symbol.declarations?.some((one) =>
    one.getSourceFile().fileName.startsWith(`${root}lib/`) && !ts.getJSDocTags(one).some(({ tagName }) => tagName.text === 'internal')
    && (ts.getCombinedModifierFlags(one) & ts.ModifierFlags.Private) === 0) === true
  const isCalled = (symbol: ts.Symbol): boolean =>
    (symbol.flags & ts.SymbolFlags.Function) !== 0 ||
    ((symbol.flags & ts.SymbolFlags.Variable) !== 0 && checker.getTypeOfSymbol(symbol).getCallSignatures().length > 0)

  const modules = entryPoints.map((path) => checker.getSymbolAtLocation(program.getSourceFile(root + path)!)!)
  const exported = new Set(modules.flatMap((module) => checker.getExportsOfModule(module))
    .map((symbol) => ((symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol))))
  return [...exported].flatMap((symbol): PublicCall[] => {
    if (isCalled(symbol)) return [{ name: symbol.name, spelled: `${symbol.name}(`, examples: examplesOf(symbol) }]
    if ((symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface)) === 0) return []
    return checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
      .filter((method) => (method.flags & ts.SymbolFlags.Method) !== 0 && !/^(#|__)/.test(method.name) && isOurs(method))
      .map((method) => ({
        name: `${symbol.name}.${method.name}`, spelled: `.${method.name}(`, examples: `${examplesOf(method)}\n${examplesOf(symbol)}`,
      }))
  })
}
