# The mutants of `make mutants` apply to the program as it is, and name tests that exist.
. "$(dirname "$0")/../lib.sh"
need patch

for mutant in "$top"/tests/mutants/*.patch; do
	name=$(basename "$mutant" .patch)
	t "$name: it applies" patch --dry-run --batch --force --fuzz=0 -d "$top" -p1 -i "$mutant"
	t "$name: it says what it breaks" has "$mutant" '^Breaks: .'
	t "$name: the tests that notice it exist" ls $(sed -n "s,^Noticed by: ,,p" "$mutant" | tr -d , | sed "s,[^ ]*,$top/&,g")
done
finish
