# What eval/ needs beside the program: only built when asked for (eval/run.sh asks).
add_executable(eval_engine_fit EXCLUDE_FROM_ALL eval/engine_fit.c)
target_link_libraries(eval_engine_fit PRIVATE equipoise_core)
