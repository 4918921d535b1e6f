-- The constructors of recipes, as data: what each takes, in which unit, by default, and where that is settled. The
-- checker and the reference of the manual both read these tables.
--
--   role      where it stands: "collect", "stop", "part" (of others)
--   what      its positional values: `key` in the plan, `each` the key of one among many, `accepts` other constructors
--   a field   name, type; `plan` its key in the plan where that is another; `only` the role that it belongs to
--   from      who decides what the value means, if it is not tracer: a file of the kernel, a manual page
--   type      the plan's word, if that is not its own; `finish` may set another
--   selects   whether other conditions can look for it; of a field of the role stop: whether it is about that, too
--   doc       the manual's sentence
--   example   the manual's, a field of a recipe
--   needed    whether it has to be given; `alternative` to the field before it
--   shared    with whom it is: "source", "sample", "condition"; t.reference says what those are
--   word      what stands for the value in the manual, if not the type's
--   name      what the plan calls it where the recipe does not
--   finish    what fields have to do with each other: gets the plan's entry and the names that were given
local fields = {}

for _, module in ipairs { "t.collect", "t.conditions" } do
  for name, constructor in pairs(require(module)) do
    fields[name] = constructor
  end
end

return fields
