/** What a text of metrics says, read by the format's own description, without prom-client. */
export interface Exposition {
  /** Help and type of each family. */
  families: Record<string, { help: string, type: string }>
  /** Value of each sample, by its name and its labels in the order of their names. */
  samples: Record<string, number>
}

/**
 * Reads a text in Prometheus's or OpenMetrics's format. Throws where a line is neither, where a sample comes twice, or without its family
 * before it.
 */
export function readExposition(text: string): Exposition {
  const families: Exposition['families'] = {}
  const samples: Exposition['samples'] = {}
  let family = ''
  for (const line of text.split('\n')) {
    if (line === '' || line === '# EOF') continue
    const [, word, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (word === 'HELP') {
      if (name in families) throw new Error(`family ${name} comes twice`)
      families[name] = { help: rest, type: '' }
      family = name
    } else if (word === 'TYPE') {
      if (name !== family) throw new Error(`the type of ${name} is not beside its help`)
      families[name].type = rest
    } else {
      const [, sample, labels = '', value] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      if (sample === undefined || Number.isNaN(Number(value))) throw new Error(`not a sample: ${line}`)
      if (sample !== family && sample !== `${family}_total`) throw new Error(`${sample} is not of family ${family}`)
      const pairs = labels === '' ? [] : labels.split(/,(?=[a-z_]+=)/)
      for (const pair of pairs) if (!/^[a-z_]+="[^"\\\n]*"$/.test(pair)) throw new Error(`not a label: ${pair}`)
      const id = `${sample}{${pairs.sort().join(',')}}`
      if (id in samples) throw new Error(`${id} comes twice`)
      samples[id] = Number(value)
    }
  }
  return { families, samples }
}
