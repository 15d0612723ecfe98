/* Engines of one's own as JSON, for the admin's pages and `equipoise fleet`: one member of `pools` for each model on a backend
 * that some route names,
 *
 *     {"at":"...","pools":[{"backend":"gpus","model":"llama","modelled":false,"usd_per_hour":"2.5",
 *       "size":{...},"usd_per_million_tokens":"0.8",
 *       "mix":{"answers":1000,"prompt":900.5,"cached":100,"output":200},
 *       "engine":{"alpha_us":...,"beta_us":...,"delta_us":...,"epsilon_us":...,"gamma_us":...,"host_us":...,"before_us":...,
 *         "samples":1000,"gated":3,"restarts":0,"from":"named","alpha_told":true,"gap_error":0.02,"first_token_error":0.05},
 *       "curve":[{"batch":8.1,"samples":40.2,"gap_ms":12.1,"model_gap_ms":12.3,"usd_per_million_output":"1.25"}],
 *       "batch":{"most":64,"why":"route assistant: total 20 s","gap_limit_ms":40.5,"tokens_per_second":1200.5},
 *       "replicas":[{"name":"10.0.0.11:8000","state":"in","in_flight":3,"filling":1,"queued":null,"kv":0.3,"kv_told":true,
 *         "minute":{"seconds":60.1,"busy":0.8,"requests":3.1,"batch":3.5,"input_per_second":900,"output_per_second":200.5},
 *         "hour":{...},"capacity_per_second":1200.5,"idle_usd_per_hour":"0.5","busy_minutes":[0.5,null]}]}]}
 *
 * What is not known is null. `from`: named, by engine_model; common; fitted is what has samples. */
#ifndef ADMIN_FLEET_PAGE_H
#define ADMIN_FLEET_PAGE_H

#include "gateway/gateway.h"

/* On the first worker. */
void fleet_page_write(struct gateway_worker *worker, struct buffer *out);

/* The same as metrics (Prometheus text format 0.0.4). */
void fleet_print(struct gateway_worker *worker, struct buffer *out);

#endif
