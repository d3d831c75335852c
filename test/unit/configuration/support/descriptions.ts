import { readFileSync } from 'node:fs'
import ts from 'typescript'

/** Types of which some records of the configuration consist, besides their own. */
const parts: Record<string, readonly string[]> = {
  AddressService: ['AddressServiceKey', 'ServiceConfiguration', 'ServiceDirections'],
  FirewallMarkService: ['FirewallMarkServiceKey', 'ServiceConfiguration', 'ServiceDirections'],
  DirectedDestination: ['DestinationKey', 'Destination', 'DestinationDirections'],
  Fallback: ['DestinationKey', 'Destination', 'Fallback'],
  Daemon: ['DaemonKey', 'Daemon'],
  PingCheck: ['CheckCommon', 'CheckTarget'],
  FileCheck: ['CheckCommon', 'FileCheck'],
}

const checked = (type: string): readonly string[] => parts[type] ?? (type.endsWith('Check') ? ['CheckCommon', 'CheckTarget', type] : [type])

/** The text of a node's doc comment in one line, as an editor shows it. */
function comment(node: ts.Node): string | undefined {
  const [last] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc).slice(-1)
  const text = last === undefined ? undefined : ts.getTextOfJSDocComment(last.comment)
  return text?.replace(/\{@link ([^}]*)\}/g, '$1').replace(/\s+/g, ' ').trim()
}

/** The doc comments of the types of the configuration and of IPVS: what the schema says about a property is what its type says. */
export function docComments(): (type: string, property?: string) => string | undefined {
  const about = new Map<string, string>()
  for (const name of ['lib/model/types.ts', 'lib/configuration/types.ts']) {
    const file = ts.createSourceFile(name, readFileSync(name, 'utf8'), ts.ScriptTarget.Latest, true)
    const visit = (node: ts.Node, type: string): void => {
      const inside = ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) ? node.name.text : type
      const said = comment(node)
      if (said !== undefined && inside !== type) about.set(inside, said)
      if (said !== undefined && ts.isPropertySignature(node)) about.set(`${inside}.${node.name.getText(file)}`, said)
      node.forEachChild((child) => visit(child, inside))
    }
    visit(file, '')
  }
  return (type, property) => {
    if (property === undefined) return about.get(type)
    return checked(type).map((part) => about.get(`${part}.${property}`)).findLast((text) => text !== undefined)
  }
}
