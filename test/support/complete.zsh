# zsh -f complete.zsh SCRIPT LINE: presses TAB behind LINE in a terminal of its own, and prints each word that is offered in <>.
zmodload zsh/zpty zsh/datetime
zpty shell zsh -f -i
zpty -w shell "PROMPT=; unset zle_bracketed_paste; stty -echo; autoload -Uz compinit; compinit -D; source ${(q)1}"
zpty -w shell 'compadd() { local -a offered; builtin compadd -A offered "$@"; print -rl -- "<"$^offered">" "<>"; builtin compadd "$@" }
bindkey "^I" complete-word; print READY'
local line text=
while zpty -r shell line; do [[ $line == READY* ]] && break; done
zpty -w -n shell "$2"$'\t'
float until=$((EPOCHREALTIME + 20))
while [[ $text != *'<>'* ]] && ((EPOCHREALTIME < until)); do
  zpty -rt shell line && text+=$line || sleep 0.02
done
zpty -d shell
print -r -- "$text"
