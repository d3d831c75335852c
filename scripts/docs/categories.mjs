// A plugin of TypeDoc: gives the guides the titles that they have, and sorts what the package exports into categories, in the order in
// which one needs them.
import { Comment, CommentTag, Converter } from 'typedoc'

/** Categories of typedoc.json, and what is in each. What is in none is in the default category. */
const categories = {
  'Handles': ['Ipvs', 'IpvsSync', 'OpenOptions', 'NetworkNamespace', 'Info', 'ReadMethods', 'ChangeMethods', 'Promised'],
  'Services and destinations': [
    'ServiceInput', 'Service', 'ServiceKey', 'DestinationInput', 'Destination', 'DestinationKey', /Service/, /Destination/, 'Persistence', 'ForwardingMethod', 'Tunnel', 'Protocol', /Daemon/, 'Timeouts', /Table/, 'Operation', 'Request',
  ],
  'Batches': [/Batch/, 'Refusal'],
  'Desired state': ['formatPlan', /Plan/, /Apply/, /Reconcile/, 'Desired', /Drain/, 'CarryOutOptions', 'InForce', /Owner|Owns|Range/, /Update/],
  'Watching': [/Watch/, 'Observation', 'Change', 'Traffic'],
  'Connections and counters': [/Connection/, /Totals/, /Sysctl/, 'Statistics', 'Rates', 'Counted'],
  'Errors': [/Error/, 'Failure', 'OpenReason'],
}

const fits = (name, one) => one instanceof RegExp ? one.test(name) : one === name
const categoryOf = name => Object.entries(categories).find(([, names]) => names.some(one => fits(name, one)))?.[0]

const patterns = Object.values(categories).flat()

/** What a category names first comes first; what only fits a pattern comes after it. */
const placeOf = name => {
  const place = patterns.findIndex(one => fits(name, one))
  return place < 0 ? patterns.length : place
}

/** A guide's own title, without what is Markdown in it. */
const titleOf = document => /^# (.+)$/m.exec(document.content.map(({ text }) => text).join(''))?.[1].replaceAll('`', '')

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, document) => {
    document.name = titleOf(document) ?? document.name
  })
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const main = project.children?.find(({ name }) => name === 'ipvs')
    main?.childrenIncludingDocuments?.sort((a, b) => placeOf(a.name) - placeOf(b.name))
    for (const reflection of main?.children ?? []) {
      const category = categoryOf(reflection.name)
      if (category === undefined) continue
      // A function's comment is that of its signatures.
      for (const one of reflection.signatures ?? [reflection]) {
        one.comment ??= new Comment()
        one.comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: category }]))
      }
    }
  })
}
