export const completionHelp = `Usage: ipvs completion bash|zsh|fish

Prints a script that lets a shell complete the command line of \`ipvs\` at the Tab key: words, options that go with the command, and their
arguments.

  bash   source <(ipvs completion bash)       in ~/.bashrc, or the output as /usr/share/bash-completion/completions/ipvs
  zsh    source <(ipvs completion zsh)        in ~/.zshrc after compinit, or the output as _ipvs in a folder of fpath
  fish   ipvs completion fish | source        in ~/.config/fish/config.fish, or the output as ~/.config/fish/completions/ipvs.fish

Exit status: 0 the script was printed, 2 the command line was not understood.
`
