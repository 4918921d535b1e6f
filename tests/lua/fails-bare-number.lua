-- What is told where a size has no unit?
return {
  collect = t.log { "kernel", keep = 4096 },
}
--[==[error
fails-bare-number.lua:3: t.log: keep: '4096' has no unit, write a size like 512B, 64K, 8M or 2G
]==]
