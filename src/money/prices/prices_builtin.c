/* Facts from the providers' public price lists, as they stood on the date below: dollars per million tokens (_mtok), or
 * per thousand (_kcount). Only what is asked for today is here; a price file has more. Where a price is already known to
 * change, the new one stands below the present one with its date. Batch and flex discounts that hold for all models of
 * a provider are rules in prices_cost.c. */
#include "money/prices/prices_builtin.h"

#include "money/prices/prices.h"

#define FACTS_DATE "2026-11-23"

/* The text of its arguments. */
#define JSON(...) #__VA_ARGS__

/* clang-format off */
static const char facts[] = JSON([
  {"id": "openai", "name": "OpenAI", "api_pattern": "https://api\\.openai\\.com",
   "model_match": {"or": [{"starts_with": "gpt-"}, {"regex": "^o[1-9]"}, {"starts_with": "text-embedding-"}]},
   "provider_match": {"contains": "openai"},
   "extractors": [
    {"api_flavor": "chat", "root": "usage", "model_path": "model", "mappings": [
      {"path": "prompt_tokens", "dest": "input_tokens"},
      {"path": ["prompt_tokens_details", "cached_tokens"], "dest": "cache_read_tokens", "required": false},
      {"path": ["prompt_tokens_details", "cache_write_tokens"], "dest": "cache_write_tokens", "required": false},
      {"path": ["prompt_tokens_details", "audio_tokens"], "dest": "input_audio_tokens", "required": false},
      {"path": "completion_tokens", "dest": "output_tokens"},
      {"path": ["completion_tokens_details", "reasoning_tokens"], "dest": "output_reasoning_tokens", "required": false},
      {"path": ["completion_tokens_details", "audio_tokens"], "dest": "output_audio_tokens", "required": false}]},
    {"api_flavor": "responses", "root": "usage", "model_path": "model", "mappings": [
      {"path": "input_tokens", "dest": "input_tokens"},
      {"path": ["input_tokens_details", "cached_tokens"], "dest": "cache_read_tokens", "required": false},
      {"path": ["input_tokens_details", "cache_write_tokens"], "dest": "cache_write_tokens", "required": false},
      {"path": "output_tokens", "dest": "output_tokens"},
      {"path": ["output_tokens_details", "reasoning_tokens"], "dest": "output_reasoning_tokens", "required": false}]},
    {"api_flavor": "embeddings", "root": "usage", "model_path": "model", "mappings": [
      {"path": "prompt_tokens", "dest": "input_tokens"}]}],
   "models": [
    {"id": "gpt-6.1-sol", "match": {"regex": "^gpt-6\\.1-sol(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 1050000,
      "prices": {"input_mtok": {"base": 2, "tiers": [{"start": 272000, "price": 4}]},
      "cache_read_mtok": {"base": 0.1, "tiers": [{"start": 272000, "price": 0.2}]},
      "cache_write_mtok": {"base": 2.5, "tiers": [{"start": 272000, "price": 5}]},
      "output_mtok": {"base": 10, "tiers": [{"start": 272000, "price": 15}]}, "web_searches_kcount": 10}},
    {"id": "gpt-6.1-terra", "match": {"regex": "^gpt-6\\.1-terra(-\\d{4}-\\d{2}-\\d{2})?$"},
      "context_window": 1050000, "prices": {"input_mtok": {"base": 1, "tiers": [{"start": 272000, "price": 2}]},
      "cache_read_mtok": {"base": 0.05, "tiers": [{"start": 272000, "price": 0.1}]},
      "cache_write_mtok": {"base": 1.25, "tiers": [{"start": 272000, "price": 2.5}]},
      "output_mtok": {"base": 5, "tiers": [{"start": 272000, "price": 7.5}]}, "web_searches_kcount": 10}},
    {"id": "gpt-6-astra", "match": {"regex": "^gpt-6-astra(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 1050000,
      "prices": {"input_mtok": {"base": 10, "tiers": [{"start": 272000, "price": 20}]},
      "cache_read_mtok": {"base": 1, "tiers": [{"start": 272000, "price": 2}]},
      "cache_write_mtok": {"base": 12.5, "tiers": [{"start": 272000, "price": 25}]},
      "output_mtok": {"base": 50, "tiers": [{"start": 272000, "price": 75}]}, "web_searches_kcount": 10}},
    {"id": "gpt-6-sol", "match": {"regex": "^gpt-6-sol(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 1050000,
      "prices": {"input_mtok": {"base": 2, "tiers": [{"start": 272000, "price": 4}]},
      "cache_read_mtok": {"base": 0.2, "tiers": [{"start": 272000, "price": 0.4}]},
      "cache_write_mtok": {"base": 2.5, "tiers": [{"start": 272000, "price": 5}]},
      "output_mtok": {"base": 10, "tiers": [{"start": 272000, "price": 15}]}, "web_searches_kcount": 10}},
    {"id": "gpt-6-luna", "match": {"regex": "^gpt-6-luna(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 1050000,
      "prices": {"input_mtok": {"base": 0.1, "tiers": [{"start": 272000, "price": 0.2}]},
      "cache_read_mtok": {"base": 0.01, "tiers": [{"start": 272000, "price": 0.02}]},
      "cache_write_mtok": {"base": 0.125, "tiers": [{"start": 272000, "price": 0.25}]},
      "output_mtok": {"base": 0.5, "tiers": [{"start": 272000, "price": 0.75}]}, "web_searches_kcount": 10}},
    {"id": "gpt-5.6-sol", "match": {"regex": "^gpt-5\\.6-sol(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 1050000,
      "prices": [{"prices": {"input_mtok": {"base": 5, "tiers": [{"start": 272000, "price": 10}]},
      "cache_read_mtok": {"base": 0.5, "tiers": [{"start": 272000, "price": 1}]},
      "cache_write_mtok": {"base": 6.25, "tiers": [{"start": 272000, "price": 12.5}]},
      "output_mtok": {"base": 30, "tiers": [{"start": 272000, "price": 45}]}, "web_searches_kcount": 10}},
      {"constraint": {"start_date": "2026-08-21"}, "prices": {
      "input_mtok": {"base": 4, "tiers": [{"start": 272000, "price": 8}]},
      "cache_read_mtok": {"base": 0.4, "tiers": [{"start": 272000, "price": 0.8}]},
      "cache_write_mtok": {"base": 5, "tiers": [{"start": 272000, "price": 10}]},
      "output_mtok": {"base": 20, "tiers": [{"start": 272000, "price": 30}]}, "web_searches_kcount": 10}}]},
    {"id": "gpt-5.6-terra", "match": {"regex": "^gpt-5\\.6-terra(-\\d{4}-\\d{2}-\\d{2})?$"},
      "context_window": 1050000, "prices": [{"prices": {
      "input_mtok": {"base": 2.5, "tiers": [{"start": 272000, "price": 5}]},
      "cache_read_mtok": {"base": 0.25, "tiers": [{"start": 272000, "price": 0.5}]},
      "cache_write_mtok": {"base": 3.125, "tiers": [{"start": 272000, "price": 6.25}]},
      "output_mtok": {"base": 15, "tiers": [{"start": 272000, "price": 22.5}]}, "web_searches_kcount": 10}},
      {"constraint": {"start_date": "2026-07-30"}, "prices": {
      "input_mtok": {"base": 2, "tiers": [{"start": 272000, "price": 4}]},
      "cache_read_mtok": {"base": 0.2, "tiers": [{"start": 272000, "price": 0.4}]},
      "cache_write_mtok": {"base": 2.5, "tiers": [{"start": 272000, "price": 5}]},
      "output_mtok": {"base": 12, "tiers": [{"start": 272000, "price": 18}]}, "web_searches_kcount": 10}}]},
    {"id": "gpt-5.6-luna", "match": {"regex": "^gpt-5\\.6-luna(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 1050000,
      "prices": [{"prices": {"input_mtok": {"base": 1, "tiers": [{"start": 272000, "price": 2}]},
      "cache_read_mtok": {"base": 0.1, "tiers": [{"start": 272000, "price": 0.2}]},
      "cache_write_mtok": {"base": 1.25, "tiers": [{"start": 272000, "price": 2.5}]},
      "output_mtok": {"base": 6, "tiers": [{"start": 272000, "price": 9}]}, "web_searches_kcount": 10}},
      {"constraint": {"start_date": "2026-07-30"}, "prices": {
      "input_mtok": {"base": 0.2, "tiers": [{"start": 272000, "price": 0.4}]},
      "cache_read_mtok": {"base": 0.02, "tiers": [{"start": 272000, "price": 0.04}]},
      "cache_write_mtok": {"base": 0.25, "tiers": [{"start": 272000, "price": 0.5}]},
      "output_mtok": {"base": 1.2, "tiers": [{"start": 272000, "price": 1.8}]}, "web_searches_kcount": 10}}]},
    {"id": "gpt-5.5", "match": {"regex": "^gpt-5\\.5(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 1000000,
      "prices": {"input_mtok": {"base": 5, "tiers": [{"start": 272000, "price": 10}]},
      "cache_read_mtok": {"base": 0.5, "tiers": [{"start": 272000, "price": 1}]},
      "output_mtok": {"base": 30, "tiers": [{"start": 272000, "price": 45}]}, "web_searches_kcount": 10}},
    {"id": "gpt-5.4", "match": {"regex": "^gpt-5\\.4(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 1050000,
      "prices": {"input_mtok": {"base": 2.5, "tiers": [{"start": 272000, "price": 5}]},
      "cache_read_mtok": {"base": 0.25, "tiers": [{"start": 272000, "price": 0.5}]},
      "output_mtok": {"base": 15, "tiers": [{"start": 272000, "price": 22.5}]}, "web_searches_kcount": 10}},
    {"id": "gpt-5.4-mini", "match": {"regex": "^gpt-5\\.4-mini(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 400000,
      "prices": {"input_mtok": 0.75, "cache_read_mtok": 0.075, "output_mtok": 4.5, "web_searches_kcount": 10},
      "price_variants": [{"when": {"service_tier": "priority"}, "prices": {"input_mtok": 1.5, "cache_read_mtok": 0.15,
      "output_mtok": 9}}]},
    {"id": "gpt-5.4-nano", "match": {"regex": "^gpt-5\\.4-nano(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 400000,
      "prices": {"input_mtok": 0.2, "cache_read_mtok": 0.02, "output_mtok": 1.25, "web_searches_kcount": 10}},
    {"id": "gpt-5.2", "match": {"regex": "^gpt-5\\.2(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 400000, "prices": {
      "input_mtok": 1.75, "cache_read_mtok": 0.175, "output_mtok": 14, "web_searches_kcount": 10},
      "price_variants": [{"when": {"service_tier": "priority"}, "prices": {"input_mtok": 3.5, "cache_read_mtok": 0.35,
      "output_mtok": 28}}]},
    {"id": "gpt-5.1", "match": {"regex": "^gpt-5\\.1(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 400000, "prices": {
      "input_mtok": 1.25, "cache_read_mtok": 0.125, "output_mtok": 10, "web_searches_kcount": 10},
      "price_variants": [{"when": {"service_tier": "priority"}, "prices": {"input_mtok": 2.5, "cache_read_mtok": 0.25,
      "output_mtok": 20}}]},
    {"id": "gpt-5", "match": {"regex": "^gpt-5(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 400000, "prices": {
      "input_mtok": 1.25, "cache_read_mtok": 0.125, "output_mtok": 10, "web_searches_kcount": 10},
      "price_variants": [{"when": {"service_tier": "priority"}, "prices": {"input_mtok": 2.5, "cache_read_mtok": 0.25,
      "output_mtok": 20}}]},
    {"id": "gpt-5-mini", "match": {"regex": "^gpt-5-mini(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 400000,
      "prices": {"input_mtok": 0.25, "cache_read_mtok": 0.025, "output_mtok": 2, "web_searches_kcount": 10},
      "price_variants": [{"when": {"service_tier": "priority"}, "prices": {"input_mtok": 0.45,
      "cache_read_mtok": 0.045, "output_mtok": 3.6}}]},
    {"id": "gpt-5-nano", "match": {"regex": "^gpt-5-nano(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 400000,
      "prices": {"input_mtok": 0.05, "cache_read_mtok": 0.005, "output_mtok": 0.4, "web_searches_kcount": 10}},
    {"id": "gpt-4.1", "match": {"regex": "^gpt-4\\.1(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 1000000,
      "prices": {"input_mtok": 2, "cache_read_mtok": 0.5, "output_mtok": 8, "web_searches_kcount": 10}},
    {"id": "gpt-4.1-mini", "match": {"regex": "^gpt-4\\.1-mini(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 1000000,
      "prices": {"input_mtok": 0.4, "cache_read_mtok": 0.1, "output_mtok": 1.6, "web_searches_kcount": 10}},
    {"id": "gpt-4.1-nano", "match": {"regex": "^gpt-4\\.1-nano(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 1000000,
      "prices": {"input_mtok": 0.1, "cache_read_mtok": 0.025, "output_mtok": 0.4}},
    {"id": "gpt-4o", "match": {"regex": "^gpt-4o(-2024-08-06|-2024-11-20)?$"}, "context_window": 128000, "prices": {
      "input_mtok": 2.5, "cache_read_mtok": 1.25, "output_mtok": 10, "web_searches_kcount": 10}},
    {"id": "gpt-4o-mini", "match": {"regex": "^gpt-4o-mini(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 128000,
      "prices": {"input_mtok": 0.15, "cache_read_mtok": 0.075, "output_mtok": 0.6, "web_searches_kcount": 10}},
    {"id": "o3", "match": {"regex": "^o3(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 200000, "prices": {
      "input_mtok": 2, "cache_read_mtok": 0.5, "output_mtok": 8, "web_searches_kcount": 10},
      "price_variants": [{"when": {"service_tier": "priority"}, "prices": {"input_mtok": 3.5,
      "cache_read_mtok": 0.875, "output_mtok": 14}}]},
    {"id": "o4-mini", "match": {"regex": "^o4-mini(-\\d{4}-\\d{2}-\\d{2})?$"}, "context_window": 200000, "prices": {
      "input_mtok": 1.1, "cache_read_mtok": 0.275, "output_mtok": 4.4, "web_searches_kcount": 10},
      "price_variants": [{"when": {"service_tier": "priority"}, "prices": {"input_mtok": 2, "cache_read_mtok": 0.5,
      "output_mtok": 8}}]},
    {"id": "text-embedding-3-small", "match": {"equals": "text-embedding-3-small"}, "context_window": 8192,
      "prices": {"input_mtok": 0.02}},
    {"id": "text-embedding-3-large", "match": {"equals": "text-embedding-3-large"}, "context_window": 8192,
      "prices": {"input_mtok": 0.13}}
  ]},
  {"id": "anthropic", "name": "Anthropic", "api_pattern": "https://api\\.anthropic\\.com",
   "model_match": {"contains": "claude"},
   "provider_match": {"contains": "anthropic"},
   "extractors": [
    {"api_flavor": "default", "root": "usage", "model_path": "model", "mappings": [
      {"path": "input_tokens", "dest": "input_tokens"},
      {"path": "cache_read_input_tokens", "dest": "input_tokens", "required": false},
      {"path": "cache_creation_input_tokens", "dest": "input_tokens", "required": false},
      {"path": "cache_read_input_tokens", "dest": "cache_read_tokens", "required": false},
      {"path": "cache_creation_input_tokens", "dest": "cache_write_tokens", "required": false},
      {"path": ["cache_creation", "ephemeral_5m_input_tokens"], "dest": "cache_write_5m_tokens", "required": false},
      {"path": ["cache_creation", "ephemeral_1h_input_tokens"], "dest": "cache_write_1h_tokens", "required": false},
      {"path": "output_tokens", "dest": "output_tokens"},
      {"path": ["output_tokens_details", "thinking_tokens"], "dest": "output_reasoning_tokens", "required": false},
      {"path": ["server_tool_use", "web_search_requests"], "dest": "web_searches", "required": false}]},
    {"api_flavor": "chat", "root": "usage", "model_path": "model", "mappings": [
      {"path": "prompt_tokens", "dest": "input_tokens"},
      {"path": ["prompt_tokens_details", "cached_tokens"], "dest": "cache_read_tokens", "required": false},
      {"path": ["prompt_tokens_details", "cache_write_tokens"], "dest": "cache_write_tokens", "required": false},
      {"path": ["prompt_tokens_details", "audio_tokens"], "dest": "input_audio_tokens", "required": false},
      {"path": "completion_tokens", "dest": "output_tokens"},
      {"path": ["completion_tokens_details", "reasoning_tokens"], "dest": "output_reasoning_tokens", "required": false},
      {"path": ["completion_tokens_details", "audio_tokens"], "dest": "output_audio_tokens", "required": false}]}],
   "models": [
    {"id": "claude-fable-5-2", "match": {"regex": "^claude-fable-5-2(-\\d{8}|-latest)?$"}, "context_window": 1000000,
      "prices": {"input_mtok": 8, "cache_read_mtok": 0.2, "cache_write_mtok": 10, "cache_write_1h_mtok": 16,
      "output_mtok": 40, "web_searches_kcount": 10}, "price_variants": [{"when": {"speed": "fast"}, "prices": {
      "input_mtok": 16, "cache_read_mtok": 0.4, "cache_write_mtok": 20, "cache_write_1h_mtok": 32,
      "output_mtok": 80}}]},
    {"id": "claude-fable-5-1", "match": {"regex": "^claude-fable-5-1(-\\d{8}|-latest)?$"}, "context_window": 1000000,
      "prices": {"input_mtok": 10, "cache_read_mtok": 0.25, "cache_write_mtok": 12.5, "cache_write_1h_mtok": 20,
      "output_mtok": 50, "web_searches_kcount": 10}},
    {"id": "claude-fable-5", "match": {"regex": "^claude-fable-5(-\\d{8}|-latest)?$"}, "context_window": 1000000,
      "prices": {"input_mtok": 10, "cache_read_mtok": 1, "cache_write_mtok": 12.5, "cache_write_1h_mtok": 20,
      "output_mtok": 50, "web_searches_kcount": 10}},
    {"id": "claude-opus-5-5", "match": {"regex": "^claude-opus-5-5(-\\d{8}|-latest)?$"}, "context_window": 1000000,
      "prices": {"input_mtok": 4, "cache_read_mtok": 0.2, "cache_write_mtok": 5, "cache_write_1h_mtok": 8,
      "output_mtok": 20, "web_searches_kcount": 10}, "price_variants": [{"when": {"speed": "fast"}, "prices": {
      "input_mtok": 8, "cache_read_mtok": 0.4, "cache_write_mtok": 10, "cache_write_1h_mtok": 16,
      "output_mtok": 40}}]},
    {"id": "claude-opus-5", "match": {"regex": "^claude-opus-5(-\\d{8}|-latest)?$"}, "context_window": 1000000,
      "prices": {"input_mtok": 5, "cache_read_mtok": 0.5, "cache_write_mtok": 6.25, "cache_write_1h_mtok": 10,
      "output_mtok": 25, "web_searches_kcount": 10}, "price_variants": [{"when": {"speed": "fast"}, "prices": {
      "input_mtok": 10, "cache_read_mtok": 1, "cache_write_mtok": 12.5, "cache_write_1h_mtok": 20,
      "output_mtok": 50}}]},
    {"id": "claude-opus-4-8", "match": {"regex": "^claude-opus-4-8(-\\d{8}|-latest)?$"}, "context_window": 1000000,
      "prices": {"input_mtok": 5, "cache_read_mtok": 0.5, "cache_write_mtok": 6.25, "cache_write_1h_mtok": 10,
      "output_mtok": 25, "web_searches_kcount": 10}, "price_variants": [{"when": {"speed": "fast"}, "prices": {
      "input_mtok": 10, "cache_read_mtok": 1, "cache_write_mtok": 12.5, "cache_write_1h_mtok": 20,
      "output_mtok": 50}}]},
    {"id": "claude-opus-4-7", "match": {"regex": "^claude-opus-4-7(-\\d{8}|-latest)?$"}, "context_window": 1000000,
      "prices": {"input_mtok": 5, "cache_read_mtok": 0.5, "cache_write_mtok": 6.25, "cache_write_1h_mtok": 10,
      "output_mtok": 25, "web_searches_kcount": 10}},
    {"id": "claude-opus-4-6", "match": {"regex": "^claude-opus-4-6(-\\d{8}|-latest)?$"}, "context_window": 1000000,
      "prices": [{"prices": {"input_mtok": {"base": 5, "tiers": [{"start": 200000, "price": 10}]},
      "cache_read_mtok": {"base": 0.5, "tiers": [{"start": 200000, "price": 1}]},
      "cache_write_mtok": {"base": 6.25, "tiers": [{"start": 200000, "price": 12.5}]},
      "cache_write_1h_mtok": {"base": 10, "tiers": [{"start": 200000, "price": 20}]},
      "output_mtok": {"base": 25, "tiers": [{"start": 200000, "price": 37.5}]}, "web_searches_kcount": 10}},
      {"constraint": {"start_date": "2026-03-13"}, "prices": {"input_mtok": 5, "cache_read_mtok": 0.5,
      "cache_write_mtok": 6.25, "cache_write_1h_mtok": 10, "output_mtok": 25, "web_searches_kcount": 10}}]},
    {"id": "claude-opus-4-5", "match": {"regex": "^claude-opus-4-5(-\\d{8}|-latest)?$"}, "context_window": 200000,
      "prices": {"input_mtok": 5, "cache_read_mtok": 0.5, "cache_write_mtok": 6.25, "cache_write_1h_mtok": 10,
      "output_mtok": 25, "web_searches_kcount": 10}},
    {"id": "claude-opus-4-1", "match": {"regex": "^claude-opus-4-1(-\\d{8}|-latest)?$"}, "context_window": 200000,
      "prices": {"input_mtok": 15, "cache_read_mtok": 1.5, "cache_write_mtok": 18.75, "cache_write_1h_mtok": 30,
      "output_mtok": 75, "web_searches_kcount": 10}},
    {"id": "claude-sonnet-5-5", "match": {"regex": "^claude-sonnet-5-5(-\\d{8}|-latest)?$"},
      "context_window": 1000000, "prices": {"input_mtok": 2, "cache_read_mtok": 0.1, "cache_write_mtok": 2.5,
      "cache_write_1h_mtok": 4, "output_mtok": 10, "web_searches_kcount": 10}},
    {"id": "claude-sonnet-5", "match": {"regex": "^claude-sonnet-5(-\\d{8}|-latest)?$"}, "context_window": 1000000,
      "prices": {"input_mtok": 2, "cache_read_mtok": 0.2, "cache_write_mtok": 2.5, "cache_write_1h_mtok": 4,
      "output_mtok": 10, "web_searches_kcount": 10}},
    {"id": "claude-sonnet-4-6", "match": {"regex": "^claude-sonnet-4-6(-\\d{8}|-latest)?$"},
      "context_window": 1000000, "prices": [{"prices": {
      "input_mtok": {"base": 3, "tiers": [{"start": 200000, "price": 6}]},
      "cache_read_mtok": {"base": 0.3, "tiers": [{"start": 200000, "price": 0.6}]},
      "cache_write_mtok": {"base": 3.75, "tiers": [{"start": 200000, "price": 7.5}]},
      "cache_write_1h_mtok": {"base": 6, "tiers": [{"start": 200000, "price": 12}]},
      "output_mtok": {"base": 15, "tiers": [{"start": 200000, "price": 22.5}]}, "web_searches_kcount": 10}},
      {"constraint": {"start_date": "2026-03-13"}, "prices": {"input_mtok": 3, "cache_read_mtok": 0.3,
      "cache_write_mtok": 3.75, "cache_write_1h_mtok": 6, "output_mtok": 15, "web_searches_kcount": 10}}]},
    {"id": "claude-sonnet-4-5", "match": {"regex": "^claude-sonnet-4-5(-\\d{8}|-latest)?$"}, "context_window": 200000,
      "prices": {"input_mtok": {"base": 3, "tiers": [{"start": 200000, "price": 6}]},
      "cache_read_mtok": {"base": 0.3, "tiers": [{"start": 200000, "price": 0.6}]},
      "cache_write_mtok": {"base": 3.75, "tiers": [{"start": 200000, "price": 7.5}]},
      "cache_write_1h_mtok": {"base": 6, "tiers": [{"start": 200000, "price": 12}]},
      "output_mtok": {"base": 15, "tiers": [{"start": 200000, "price": 22.5}]}, "web_searches_kcount": 10}},
    {"id": "claude-haiku-5-5", "match": {"regex": "^claude-haiku-5-5(-\\d{8}|-latest)?$"}, "context_window": 1000000,
      "prices": {"input_mtok": {"base": 0.1, "tiers": [{"start": 100000, "price": 0.5}]},
      "cache_read_mtok": {"base": 0.01, "tiers": [{"start": 100000, "price": 0.05}]},
      "cache_write_mtok": {"base": 0.125, "tiers": [{"start": 100000, "price": 0.625}]},
      "cache_write_1h_mtok": {"base": 0.2, "tiers": [{"start": 100000, "price": 1}]},
      "output_mtok": {"base": 0.5, "tiers": [{"start": 100000, "price": 2.5}]}, "web_searches_kcount": 10}},
    {"id": "claude-haiku-4-5", "match": {"regex": "^claude-haiku-4-5(-\\d{8}|-latest)?$"}, "context_window": 200000,
      "prices": {"input_mtok": 1, "cache_read_mtok": 0.1, "cache_write_mtok": 1.25, "cache_write_1h_mtok": 2,
      "output_mtok": 5, "web_searches_kcount": 10}}
  ]},
  {"id": "google", "name": "Google", "api_pattern": "https://(.*\\.)?googleapis\\.com",
   "model_match": {"contains": "gemini"},
   "provider_match": {"or": [{"contains": "google"}, {"contains": "vertex"}, {"contains": "gemini"}]},
   "extractors": [
    {"api_flavor": "default", "root": "usageMetadata", "model_path": "modelVersion", "mappings": [
      {"path": "promptTokenCount", "dest": "input_tokens"},
      {"path": "toolUsePromptTokenCount", "dest": "input_tokens", "required": false},
      {"path": "toolUsePromptTokenCount", "dest": "input_tool_tokens", "required": false},
      {"path": "cachedContentTokenCount", "dest": "cache_read_tokens", "required": false},
      {"path": "candidatesTokenCount", "dest": "output_tokens", "required": false},
      {"path": "thoughtsTokenCount", "dest": "output_tokens", "required": false},
      {"path": "thoughtsTokenCount", "dest": "output_reasoning_tokens", "required": false}]},
    {"api_flavor": "chat", "root": "usage", "model_path": "model", "mappings": [
      {"path": "prompt_tokens", "dest": "input_tokens"},
      {"path": ["prompt_tokens_details", "cached_tokens"], "dest": "cache_read_tokens", "required": false},
      {"path": ["prompt_tokens_details", "cache_write_tokens"], "dest": "cache_write_tokens", "required": false},
      {"path": ["prompt_tokens_details", "audio_tokens"], "dest": "input_audio_tokens", "required": false},
      {"path": "completion_tokens", "dest": "output_tokens"},
      {"path": ["completion_tokens_details", "reasoning_tokens"], "dest": "output_reasoning_tokens", "required": false},
      {"path": ["completion_tokens_details", "audio_tokens"], "dest": "output_audio_tokens", "required": false}]}],
   "models": [
    {"id": "gemini-4-argon", "match": {"regex": "^gemini-4-argon(-\\d{3}|-preview.*|-latest)?$"},
      "context_window": 1048576, "prices": [{"prices": {"input_mtok": 2, "cache_read_mtok": 0.1, "output_mtok": 10,
      "web_searches_kcount": 14}}, {"constraint": {"start_date": "2026-12-01"}, "prices": {"input_mtok": 4,
      "cache_read_mtok": 0.2, "output_mtok": 20, "web_searches_kcount": 14}}]},
    {"id": "gemini-3.8-flash", "match": {"regex": "^gemini-3\\.8-flash(-\\d{3}|-preview.*|-latest)?$"},
      "context_window": 1000000, "prices": [{"prices": {"input_mtok": 0.75, "cache_read_mtok": 0.075,
      "output_mtok": 3.75, "web_searches_kcount": 14}}, {"constraint": {"start_date": "2027-01-01"}, "prices": {
      "input_mtok": 1.5, "cache_read_mtok": 0.15, "output_mtok": 7.5, "web_searches_kcount": 14}}]},
    {"id": "gemini-3.7-flash", "match": {"regex": "^gemini-3\\.7-flash(-\\d{3}|-preview.*|-latest)?$"},
      "context_window": 1000000, "prices": [{"prices": {"input_mtok": 0.75, "cache_read_mtok": 0.075,
      "output_mtok": 3.75, "web_searches_kcount": 14}}, {"constraint": {"start_date": "2027-01-01"}, "prices": {
      "input_mtok": 1.5, "cache_read_mtok": 0.15, "output_mtok": 7.5, "web_searches_kcount": 14}}]},
    {"id": "gemini-3.6-flash", "match": {"regex": "^gemini-3\\.6-flash(-\\d{3}|-preview.*|-latest)?$"},
      "context_window": 1000000, "prices": [{"prices": {"input_mtok": 0.75, "cache_read_mtok": 0.075,
      "output_mtok": 3.75, "web_searches_kcount": 14}}, {"constraint": {"start_date": "2027-01-01"}, "prices": {
      "input_mtok": 1.5, "cache_read_mtok": 0.15, "output_mtok": 7.5, "web_searches_kcount": 14}}]},
    {"id": "gemini-3.5-flash", "match": {"regex": "^gemini-3\\.5-flash(-\\d{3}|-preview.*|-latest)?$"},
      "context_window": 1000000, "prices": {"input_mtok": 1.5, "cache_read_mtok": 0.15, "output_mtok": 9,
      "web_searches_kcount": 14}},
    {"id": "gemini-3.5-flash-lite", "match": {"regex": "^gemini-3\\.5-flash-lite(-\\d{3}|-preview.*|-latest)?$"},
      "context_window": 1000000, "prices": {"input_mtok": 0.3, "cache_read_mtok": 0.03, "output_mtok": 2.5,
      "web_searches_kcount": 14}},
    {"id": "gemini-3.1-pro", "match": {"regex": "^gemini-3\\.1-pro(-\\d{3}|-preview.*|-latest)?$"},
      "context_window": 1048576, "prices": {"input_mtok": {"base": 2, "tiers": [{"start": 200000, "price": 4}]},
      "cache_read_mtok": {"base": 0.2, "tiers": [{"start": 200000, "price": 0.4}]},
      "output_mtok": {"base": 12, "tiers": [{"start": 200000, "price": 18}]}, "web_searches_kcount": 14}},
    {"id": "gemini-3.1-flash-lite", "match": {"regex": "^gemini-3\\.1-flash-lite(-\\d{3}|-preview.*|-latest)?$"},
      "context_window": 1000000, "prices": {"input_mtok": 0.25, "cache_read_mtok": 0.025, "output_mtok": 1.5,
      "input_audio_mtok": 0.5, "cache_audio_read_mtok": 0.05, "web_searches_kcount": 14}},
    {"id": "gemini-2.5-pro", "match": {"regex": "^gemini-2\\.5-pro(-\\d{3}|-preview.*|-latest)?$"},
      "context_window": 1048576, "prices": {"input_mtok": {"base": 1.25, "tiers": [{"start": 200000, "price": 2.5}]},
      "cache_read_mtok": {"base": 0.125, "tiers": [{"start": 200000, "price": 0.25}]},
      "output_mtok": {"base": 10, "tiers": [{"start": 200000, "price": 15}]}, "web_searches_kcount": 35}},
    {"id": "gemini-2.5-flash", "match": {"regex": "^gemini-2\\.5-flash(-\\d{3})?$"}, "context_window": 1048576,
      "prices": {"input_mtok": 0.3, "cache_read_mtok": 0.03, "output_mtok": 2.5, "input_audio_mtok": 1,
      "cache_audio_read_mtok": 0.1, "web_searches_kcount": 35}},
    {"id": "gemini-2.5-flash-lite", "match": {"regex": "^gemini-2\\.5-flash-lite(-\\d{3}|-preview.*|-latest)?$"},
      "context_window": 1048576, "prices": {"input_mtok": 0.1, "cache_read_mtok": 0.01, "output_mtok": 0.4,
      "input_audio_mtok": 0.3, "cache_audio_read_mtok": 0.03, "web_searches_kcount": 35}},
    {"id": "gemini-embedding-001", "match": {"equals": "gemini-embedding-001"}, "context_window": 2048, "prices": {
      "input_mtok": 0.15}}
  ]},
  {"id": "mistral", "name": "Mistral", "api_pattern": "https://api\\.mistral\\.ai",
   "model_match": {"regex": "(mi|code|dev|magi|mini)stral"},
   "provider_match": {"starts_with": "mistral"},
   "extractors": [
    {"api_flavor": "default", "root": "usage", "model_path": "model", "mappings": [
      {"path": "prompt_tokens", "dest": "input_tokens"},
      {"path": ["prompt_tokens_details", "cached_tokens"], "dest": "cache_read_tokens", "required": false},
      {"path": ["prompt_tokens_details", "cache_write_tokens"], "dest": "cache_write_tokens", "required": false},
      {"path": ["prompt_tokens_details", "audio_tokens"], "dest": "input_audio_tokens", "required": false},
      {"path": "completion_tokens", "dest": "output_tokens"},
      {"path": ["completion_tokens_details", "reasoning_tokens"], "dest": "output_reasoning_tokens", "required": false},
      {"path": ["completion_tokens_details", "audio_tokens"], "dest": "output_audio_tokens", "required": false}]}],
   "models": [
    {"id": "mistral-large-4", "match": {"starts_with": "mistral-large-4"}, "context_window": 1048576, "prices": {
      "input_mtok": 0.7, "cache_read_mtok": 0.07, "output_mtok": 2.1}},
    {"id": "mistral-medium-3-5", "match": {"regex": "^(mistral-medium-3-5|mistral-medium-latest)$"},
      "context_window": 262144, "prices": {"input_mtok": 1.5, "cache_read_mtok": 0.15, "output_mtok": 7.5}},
    {"id": "mistral-small-2603", "match": {"regex": "^(mistral-small-2603|mistral-small-latest)$"},
      "context_window": 262144, "prices": {"input_mtok": 0.15, "cache_read_mtok": 0.015, "output_mtok": 0.6}},
    {"id": "codestral-2508", "match": {"regex": "^(codestral-2508|codestral-latest)$"}, "context_window": 256000,
      "prices": {"input_mtok": 0.3, "cache_read_mtok": 0.03, "output_mtok": 0.9}},
    {"id": "ministral-14b-2512", "match": {"regex": "^(ministral-14b-2512|ministral-14b-latest)$"},
      "context_window": 262144, "prices": {"input_mtok": 0.2, "cache_read_mtok": 0.02, "output_mtok": 0.2}},
    {"id": "ministral-8b-2512", "match": {"regex": "^(ministral-8b-2512|ministral-8b-latest)$"},
      "context_window": 262144, "prices": {"input_mtok": 0.15, "cache_read_mtok": 0.015, "output_mtok": 0.15}},
    {"id": "mistral-embed", "match": {"starts_with": "mistral-embed"}, "context_window": 8192, "prices": {
      "input_mtok": 0.1}}
  ]},
  {"id": "deepseek", "name": "DeepSeek", "api_pattern": "https://api\\.deepseek\\.com",
   "model_match": {"starts_with": "deepseek"},
   "provider_match": {"contains": "deepseek"},
   "extractors": [
    {"api_flavor": "chat", "root": "usage", "model_path": "model", "mappings": [
      {"path": "prompt_tokens", "dest": "input_tokens"},
      {"path": ["prompt_tokens_details", "cached_tokens"], "dest": "cache_read_tokens", "required": false},
      {"path": ["prompt_tokens_details", "cache_write_tokens"], "dest": "cache_write_tokens", "required": false},
      {"path": ["prompt_tokens_details", "audio_tokens"], "dest": "input_audio_tokens", "required": false},
      {"path": "completion_tokens", "dest": "output_tokens"},
      {"path": ["completion_tokens_details", "reasoning_tokens"], "dest": "output_reasoning_tokens", "required": false},
      {"path": ["completion_tokens_details", "audio_tokens"], "dest": "output_audio_tokens", "required": false}]}],
   "models": [
    {"id": "deepseek-flash", "match": {"regex": "^(deepseek-flash|deepseek-v4-flash)$"}, "context_window": 1000000,
      "prices": [{"prices": {"input_mtok": 0.15, "cache_read_mtok": 0.003, "output_mtok": 0.6}},
      {"constraint": {"start_time": "01:00:00Z", "end_time": "04:00:00Z"}, "prices": {"input_mtok": 0.3,
      "cache_read_mtok": 0.006, "output_mtok": 1.2}},
      {"constraint": {"start_time": "06:00:00Z", "end_time": "10:00:00Z"}, "prices": {"input_mtok": 0.3,
      "cache_read_mtok": 0.006, "output_mtok": 1.2}}]},
    {"id": "deepseek-v4-pro", "match": {"equals": "deepseek-v4-pro"}, "context_window": 1000000, "prices": [{
      "prices": {"input_mtok": 0.66, "cache_read_mtok": 0.022, "output_mtok": 1.98}},
      {"constraint": {"start_time": "01:00:00Z", "end_time": "04:00:00Z"}, "prices": {"input_mtok": 1.32,
      "cache_read_mtok": 0.044, "output_mtok": 3.96}},
      {"constraint": {"start_time": "06:00:00Z", "end_time": "10:00:00Z"}, "prices": {"input_mtok": 1.32,
      "cache_read_mtok": 0.044, "output_mtok": 3.96}}]}
  ]}
]);
/* clang-format on */

struct slice
prices_builtin_json(void)
{
    return SLICE_LITERAL(facts);
}

const char *
prices_builtin_date(void)
{
    return FACTS_DATE;
}
