// A tag's form, one for policies, netmaps and configurations: Tailscale's (tailcfg.CheckTag).

/** `tag:web`: a letter, then letters, digits and dashes. */
export function isTag(text: string): boolean {
  return /^tag:[A-Za-z][A-Za-z0-9-]*$/.test(text)
}
