-- What is told where two files would have one name?
return {
  collect = {
    t.log { "kernel", name = "one" },
    t.files { name = "one", "/proc/stat" },
  },
}
--[==[error
fails-same-name.lua:5: the name 'one' is taken by fails-same-name.lua:4
]==]
