// Package diagram draws processes, and where tickets stand in them, as SVG: layer by layer from top to bottom, ways back along the side.
//
// It has a layout of its own on purpose. Graphviz compiled to WebAssembly (goccy/go-graphviz) was tried: it draws well, but costs every
// program that links it half a second and forty megabytes at each start whether it draws or not, and caches machine code under a fixed
// name in the shared temporary directory, where another user of the machine could have put theirs. Processes have at most 200 nodes and
// a fixed vocabulary of shapes, for which a plain layered layout is enough. DOT is there for whoever prefers Graphviz.
//
// It is pure: it computes text from a definition.
package diagram
