// A plugin of TypeDoc: sorts what the package exports into categories, in the order in which one needs them.
import { Comment, CommentTag, Converter } from 'typedoc'

/** Categories of typedoc.json, and what is in each. What is in none is in the default category. */
const categories = {
  'Handles': ['Ipvs', 'IpvsSync', 'OpenOptions', 'NetworkNamespace', 'Info', 'Promised', 'ChangeMethods', 'ReadMethods'],
  'Services and destinations': [
    /Service/, /Destination/, 'Persistence', 'ForwardingMethod', 'Tunnel', 'Protocol', /Daemon/, 'Timeouts', /Table/, 'Operation', 'Request',
  ],
  'Batches': [/Batch/, 'Refusal'],
  'Desired state': ['formatPlan', /Plan/, /Apply/, /Reconcile/, 'Desired', /Drain/, 'CarryOutOptions', 'InForce', /Owner|Owns|Range/, /Update/],
  'Watching': [/Watch/, 'Observation', 'Change', 'Traffic'],
  'Connections and counters': [/Connection/, /Totals/, /Sysctl/, 'Statistics', 'Rates', 'Counted'],
  'Errors': [/Error/, 'Failure', 'OpenReason'],
}

const fits = (name, one) => one instanceof RegExp ? one.test(name) : one === name
const categoryOf = name => Object.entries(categories).find(([, names]) => names.some(one => fits(name, one)))?.[0]

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const modules = project.children ?? []
    for (const reflection of modules.find(({ name }) => name === 'ipvs')?.children ?? []) {
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
