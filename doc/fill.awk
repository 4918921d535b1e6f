# Fills a manual page: a line "@made FILE" stands for text in man(7) that the build has made,
# "@example FILE" for a recipe. Usage: awk -v doc=DIR -v made=DIR -f fill.awk PAGE.in

function quoted(line) {
	gsub(/\\/, "\\e", line)
	gsub(/-/, "\\-", line)
	gsub(/'/, "\\(aq", line)
	gsub(/~/, "\\(ti", line)
	gsub(/\^/, "\\(ha", line)
	gsub(/`/, "\\(ga", line)
	sub(/^\./, "\\\\\\&.", line)
	return line
}

function put(file, example, line, got) {
	while ((got = (getline line < file)) > 0)
		print example ? quoted(line) : line
	close(file)
	if (got < 0) {
		print "fill.awk: cannot read " file > "/dev/stderr"
		exit 1
	}
}

$1 == "@made" { put(made "/" $2, 0); next }
$1 == "@example" {
	print ".PP\n.RS 2\n.EX"
	put(doc "/" $2, 1)
	print ".EE\n.RE\n.PP"
	next
}
{ print }
