-- What is told where a field is misspelt?
return {
  collect = {
    t.ftrace { keeps = "8M", "sched:*" },
  },
}
--[==[error
fails-unknown-field.lua:4: t.ftrace: unknown field 'keeps', did you mean 'keep'?
]==]
