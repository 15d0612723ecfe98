# The front door; CMake does the work. `make help` lists what there is.
release:
	@tools/setup.sh build
	@cmake --preset release
	@cmake --build --preset release

clean:
	rm -rf build

.PHONY: release clean
