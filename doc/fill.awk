# Fills a manual page: a line "@made FILE HEADING" stands for a section of text in man(7) that the build
# has made, "@example FILE" for a recipe. Usage: awk -v doc=DIR -v made=DIR -f fill.awk PAGE.in

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

function fail(why) {
	print "fill.awk: " why > "/dev/stderr"
	exit 1
}

function put_example(file, line, got) {
	while ((got = (getline line < file)) > 0)
		print quoted(line)
	close(file)
	if (got < 0)
		fail("cannot read " file)
}

function put_section(file, heading, line, inside, found) {
	while ((getline line < file) > 0) {
		if (line ~ /^\.SS /)
			inside = line == ".SS " heading
		found = found || inside
		if (inside)
			print line
	}
	close(file)
	if (!found)
		fail(file " has no section " heading)
}

$1 == "@made" {
	heading = $0
	sub(/^@made +[^ ]+ +/, "", heading)
	put_section(made "/" $2, heading)
	next
}
$1 == "@example" {
	print ".PP\n.RS 2\n.EX"
	put_example(doc "/" $2)
	print ".EE\n.RE\n.PP"
	next
}
{ print }
