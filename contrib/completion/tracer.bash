# Completion of tracer's command line in bash. The program itself says what there is.

# The words of `tracer --help`: its options, or its commands.
_tracer_options() { tracer --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u; }
_tracer_commands() { tracer --help 2>/dev/null | sed -nE 's/^  tracer ([a-z]+).*/\1/p'; }
_tracer_recipes() { tracer list 2>/dev/null | cut -d ' ' -f 1; }
_tracer_ids() { tracer status 2>/dev/null | grep -oE '^[0-9A-Z]{26}'; }

# The command among the words before the cursor: the first that is neither an option nor an option's value.
_tracer_command() {
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-o | --output | --max-time | --min-free | --memory | --plan | --measure | --host | --compress | --pid-file | --ready-fd)
			i=$((i + 1))
			[ "${COMP_WORDS[i]}" != = ] || i=$((i + 1))
			;;
		-*) ;;
		*)
			echo "${COMP_WORDS[i]}"
			return
			;;
		esac
	done
}

_tracer() {
	local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD - 1]} files="" words=""

	# "--output=DIR" is three words here
	if [ "$word" = = ]; then
		word=
	elif [ "$last" = = ]; then
		last=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $last in
	-o | --output)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
		;;
	--compress) words="zstd gzip none" ;;
	--pid-file) files=/ ;;
	--host) files='!*.tar*' ;;
	--max-time | --min-free | --memory | --plan | --measure | --ready-fd) return ;;
	*)
		case $word,$(_tracer_command) in
		-*) words=$(_tracer_options) ;;
		*,) words="$(_tracer_commands) $(_tracer_recipes)" files='!*.lua' ;;
		*,check) words=$(_tracer_recipes) files='!*.lua' ;;
		*,stop | *,recover) words=$(_tracer_ids) ;;
		*,show | *,verify | *,replay) files='!*.tar*' ;;
		esac
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	[ -z "$files" ] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$word"; compgen -f -X "$files" -- "$word")
}

complete -o filenames -F _tracer tracer
