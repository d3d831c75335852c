# For node-gyp in the checkout. What is compiled is told by native/binding.gyp. This file is not in the package: yarn 1 compiles every package
# that has a binding.gyp at its top, although package.json says "gypfile": false, and fails where there is no compiler.
{
  'targets': [{ 'target_name': 'addon', 'type': 'none', 'dependencies': ['native/binding.gyp:ipvs'] }],
}
