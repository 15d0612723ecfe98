/* Requests put in another API's words: what maps, what does not, and that nothing is lost on the way. */
#include "same_json.h"
#include "talk_text.h"

struct request_case {
    enum api from, to;
    const char *body, *wanted; /* the whole body for the model "m"; else */
    const char *why;           /* a part of the reason */
};

#define ASK "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"

static const struct request_case request_cases[] = {
    {API_CHAT, API_MESSAGES, "{\"model\":\"a\"," ASK "}",
     "{\"model\":\"m\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"Hi\"}]}]}",
     NULL},
    {API_CHAT, API_MESSAGES,
     "{\"model\":\"a\",\"max_completion_tokens\":9,\"temperature\":0.50,\"stop\":\"X\",\"user\":\"u1\",\"stream\":true,"
     "\"stream_options\":{\"include_usage\":true},\"n\":1,\"frequency_penalty\":0.0,\"logit_bias\":{},\"seed\":null,"
     "\"metadata\":{\"a\":\"b\"},\"messages\":[{\"role\":\"system\",\"content\":\"S\"},"
     "{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"D\"}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What?\"},"
     "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\",\"detail\":\"auto\"}},"
     "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x.example/i.png\"}}]}]}",
     "{\"model\":\"m\",\"max_tokens\":9,\"system\":[{\"type\":\"text\",\"text\":\"S\"},{\"type\":\"text\",\"text\":"
     "\"D\"}],"
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What?\"},"
     "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"AAAA\"}},"
     "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x.example/i.png\"}}]}],"
     "\"stop_sequences\":[\"X\"],\"temperature\":0.50,\"metadata\":{\"user_id\":\"u1\"},\"stream\":true}",
     NULL},
    {API_CHAT, API_MESSAGES,
     "{\"model\":\"a\",\"parallel_tool_calls\":false,\"tool_choice\":\"required\",\"tools\":[{\"type\":\"function\","
     "\"function\":"
     "{\"name\":\"f\",\"description\":\"F\",\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":"
     "\"number\",\"maximum\":1.0}}}}},"
     "{\"type\":\"function\",\"function\":{\"name\":\"g\",\"strict\":false}}],"
     "\"messages\":[{\"role\":\"user\",\"content\":\"Go\"},"
     "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null,\"annotations\":[],\"tool_calls\":["
     "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": 1.0}\"}},"
     "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"one\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\","
     "\"content\":\"\"},"
     "{\"role\":\"user\",\"content\":\"And?\"}]}",
     "{\"model\":\"m\",\"max_tokens\":4096,\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true},"
     "\"tools\":["
     "{\"name\":\"f\",\"description\":\"F\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":"
     "\"number\",\"maximum\":1.0}}}},"
     "{\"name\":\"g\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Go\"}]},"
     "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"x\":1.0}},"
     "{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":{}}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":[{\"type\":\"text\","
     "\"text\":\"one\"}]},"
     "{\"type\":\"tool_result\",\"tool_use_id\":\"c2\"},{\"type\":\"text\",\"text\":\"And?\"}]}]}",
     NULL},
    {API_MESSAGES, API_CHAT,
     "{\"model\":\"a\",\"max_tokens\":7,\"system\":[{\"type\":\"text\",\"text\":\"S\",\"cache_control\":{\"type\":"
     "\"ephemeral\"}}],"
     "\"thinking\":{\"type\":\"disabled\"},\"metadata\":{\"user_id\":\"u\"},\"tool_choice\":{\"type\":\"tool\","
     "\"name\":\"f\"},"
     "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"},\"cache_control\":{\"type\":\"ephemeral\"}}],"
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":"
     "\"image/gif\",\"data\":\"BB\"}}]},"
     "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"T\"},{\"type\":\"tool_use\",\"id\":\"t1\","
     "\"name\":\"f\",\"input\":{\"y\":[1]}}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":[{\"type\":\"text\","
     "\"text\":\"R\"}]},"
     "{\"type\":\"text\",\"text\":\"U\"}]}],\"stream\":true}",
     "{\"model\":\"m\",\"max_tokens\":7,\"messages\":[{\"role\":\"system\",\"content\":\"S\"},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/gif;base64,BB\"}}]},"
     "{\"role\":\"assistant\",\"content\":\"T\",\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\",\"function\":{"
     "\"name\":\"f\",\"arguments\":\"{\\\"y\\\":[1]}\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"R\"},{\"role\":\"user\",\"content\":\"U\"}],"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}],"
     "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}},\"user\":\"u\",\"stream\":true,"
     "\"stream_options\":{\"include_usage\":true}}",
     NULL},
    {API_RESPONSES, API_CHAT,
     "{\"model\":\"a\",\"instructions\":\"I\",\"max_output_tokens\":50,\"reasoning\":{\"effort\":\"low\"},\"store\":"
     "false,\"include\":[],"
     "\"text\":{\"verbosity\":\"low\",\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"strict\":true,\"schema\":{"
     "\"type\":\"object\"}}},"
     "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"type\":\"object\"},\"strict\":true}],"
     "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Q\"},{\"type\":\"input_image\","
     "\"image_url\":\"data:image/png;base64,AA\",\"detail\":\"low\"}]},"
     "{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":"
     "\"output_text\",\"text\":\"A\",\"annotations\":[]}]},"
     "{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{}\"},"
     "{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"f\",\"arguments\":\"{}\"},"
     "{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"one\"},"
     "{\"type\":\"function_call_output\",\"call_id\":\"c2\",\"output\":\"two\"}]}",
     "{\"model\":\"m\",\"max_tokens\":50,\"messages\":[{\"role\":\"system\",\"content\":\"I\"},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Q\"},{\"type\":\"image_url\",\"image_url\":{"
     "\"url\":\"data:image/png;base64,AA\",\"detail\":\"low\"}}]},"
     "{\"role\":\"assistant\",\"content\":\"A\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{"
     "\"name\":\"f\",\"arguments\":\"{}\"}},"
     "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"one\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\","
     "\"content\":\"two\"}],"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"},\"strict\":"
     "true}}],"
     "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":\"object\"},"
     "\"strict\":true}},"
     "\"reasoning_effort\":\"low\",\"verbosity\":\"low\"}",
     NULL},
    {API_CHAT, API_RESPONSES,
     "{\"model\":\"a\",\"max_tokens\":20,\"reasoning_effort\":\"high\",\"response_format\":{\"type\":\"json_object\"},"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"messages\":[{\"role\":\"developer\","
     "\"content\":\"D\"},"
     "{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":\"A\",\"tool_calls\":[{\"id\":\"c\","
     "\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":"
     "\"R\"}]}",
     "{\"model\":\"m\",\"max_output_tokens\":20,\"input\":[{\"type\":\"message\",\"role\":\"developer\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"D\"}]},"
     "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Q\"}]},"
     "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"text\":"
     "\"A\"}]},"
     "{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"},"
     "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"R\"}],"
     "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":null,\"strict\":false}],"
     "\"text\":{\"format\":{\"type\":\"json_object\"}},\"reasoning\":{\"effort\":\"high\"},\"store\":false}",
     NULL},
    {API_RESPONSES, API_MESSAGES, "{\"model\":\"a\",\"input\":\"Hi\",\"safety_identifier\":\"s\"}",
     "{\"model\":\"m\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"Hi\"}]}],"
     "\"metadata\":{\"user_id\":\"s\"}}",
     NULL},
    {API_MESSAGES, API_RESPONSES,
     "{\"model\":\"a\",\"max_tokens\":16,\"temperature\":1,\"top_p\":0.9,\"system\":\"S\"," ASK "}",
     "{\"model\":\"m\",\"max_output_tokens\":16,\"input\":[{\"type\":\"message\",\"role\":\"system\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"S\"}]},"
     "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Hi\"}]}],"
     "\"temperature\":1,\"top_p\":0.9,\"store\":false}",
     NULL},
    {API_CHAT, API_MESSAGES,
     "{\"model\":\"a\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"strict\":true,"
     "\"schema\":{\"type\":\"object\"}}},\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":"
     "true}}]," ASK "}",
     "{\"model\":\"m\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"Hi\"}]}],"
     "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}},\"strict\":true}],"
     "\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}",
     NULL},
    {API_MESSAGES, API_RESPONSES,
     "{\"model\":\"a\",\"max_tokens\":20,\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":"
     "\"object\"}}},"
     "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
     "\"id\":\"t\",\"name\":\"f\","
     "\"input\":{},\"caller\":{\"type\":\"direct\"}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
     "\"tool_use_id\":\"t\",\"content\":["
     "{\"type\":\"text\",\"text\":\"R\"},{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x.example/"
     "i.png\"}}]}]}]}",
     "{\"model\":\"m\",\"max_output_tokens\":20,\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"Hi\"}]},"
     "{\"type\":\"function_call\",\"call_id\":\"t\",\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":\"function_call_"
     "output\",\"call_id\":\"t\",\"output\":["
     "{\"type\":\"input_text\",\"text\":\"R\"},{\"type\":\"input_image\",\"image_url\":\"https://x.example/"
     "i.png\",\"detail\":\"auto\"}]}],"
     "\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"answer\",\"schema\":{\"type\":\"object\"},\"strict\":"
     "true}},\"store\":false}",
     NULL},
    {API_RESPONSES, API_CHAT,
     "{\"model\":\"a\",\"input\":[{\"role\":\"developer\",\"content\":\"D\"},{\"role\":\"user\",\"content\":\"U\"}]}",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"D\"},{\"role\":\"user\",\"content\":\"U\"}]}",
     NULL},
    {API_RESPONSES, API_CHAT,
     "{\"model\":\"a\",\"input\":\"U\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"function\","
     "\"name\":\"g\",\"strict\":false}]}",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"U\"}],\"tools\":[{\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"strict\":true}},"
     "{\"type\":\"function\",\"function\":{\"name\":\"g\"}}]}",
     NULL},
    /* What an assistant says behind its calls stands before them in chat; their results have to come next. */
    {API_RESPONSES, API_CHAT,
     "{\"model\":\"a\",\"input\":[{\"role\":\"user\",\"content\":\"U\"},{\"type\":\"function_call\",\"call_id\":\"c\","
     "\"name\":\"f\",\"arguments\":\"{}\"},{\"role\":\"assistant\",\"content\":\"T\"},{\"type\":\"function_call_"
     "output\","
     "\"call_id\":\"c\",\"output\":\"R\"}]}",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"U\"},{\"role\":\"assistant\",\"content\":\"T\","
     "\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"R\"}]}",
     NULL},
    {API_MESSAGES, API_CHAT,
     "{\"model\":\"a\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"U\"},{\"role\":\"assistant\","
     "\"content\":[{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{}},{\"type\":\"text\",\"text\":\"T\"},"
     "{\"type\":\"tool_use\",\"id\":\"d\",\"name\":\"f\",\"input\":{}}]},{\"role\":\"assistant\",\"content\":\"V\"},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c\"},{\"type\":\"tool_result\","
     "\"tool_use_id\":\"d\"}]}]}",
     "{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"U\"},{\"role\":\"assistant\","
     "\"content\":[{\"type\":\"text\",\"text\":\"T\"},{\"type\":\"text\",\"text\":\"V\"}],\"tool_calls\":["
     "{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
     "{\"id\":\"d\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"\"},{\"role\":\"tool\",\"tool_call_id\":\"d\","
     "\"content\":\"\"}]}",
     NULL},
    /* An empty text is a turn's only one */
    {API_CHAT, API_RESPONSES,
     "{\"model\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"U\"},{\"role\":\"assistant\",\"content\":\"\"},"
     "{\"role\":\"user\",\"content\":\"V\"}]}",
     "{\"model\":\"m\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
     "\"text\":\"U\"}]},{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
     "\"annotations\":[],\"text\":\"\"}]},{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_"
     "text\","
     "\"text\":\"V\"}]}],\"store\":false}",
     NULL},
    {API_MESSAGES, API_RESPONSES, "{\"model\":\"a\",\"max_tokens\":20,\"system\":[]," ASK "}",
     "{\"model\":\"m\",\"max_output_tokens\":20,\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"Hi\"}]}],\"store\":false}",
     NULL},
    /* What has no place */
    {API_CHAT, API_MESSAGES, "{\"n\":2," ASK "}", NULL, "'n'"},
    {API_CHAT, API_MESSAGES, "{\"seed\":2," ASK "}", NULL, "'seed' has no place in messages"},
    {API_CHAT, API_MESSAGES, "{\"logit_bias\":{\"5\":1}," ASK "}", NULL, "'logit_bias'"},
    {API_CHAT, API_MESSAGES, "{\"logprobs\":true," ASK "}", NULL, "'logprobs'"},
    {API_CHAT, API_MESSAGES, "{\"temperature\":1.5," ASK "}", NULL, "'temperature' is above 1"},
    {API_CHAT, API_MESSAGES, "{\"reasoning_effort\":\"low\"," ASK "}", NULL, "'reasoning_effort'"},
    {API_CHAT, API_MESSAGES, "{\"response_format\":{\"type\":\"json_object\"}," ASK "}", NULL, "'response_format'"},
    {API_CHAT, API_MESSAGES, "{\"store\":true," ASK "}", NULL, "stored"},
    {API_CHAT, API_MESSAGES, "{\"service_tier\":\"flex\"," ASK "}", NULL, "service tier"},
    {API_CHAT, API_MESSAGES, "{\"stop\":\"\\n\"," ASK "}", NULL, "stop sequence"},
    {API_CHAT, API_MESSAGES, "{\"guided_json\":{}," ASK "}", NULL, "'guided_json' of the body"},
    {API_CHAT, API_MESSAGES, "{\"a \\\"b\":1," ASK "}", NULL, "a member of the body"},
    {API_CHAT, API_MESSAGES, "{\"max_tokens\":5,\"max_completion_tokens\":6," ASK "}", NULL, "two different caps"},
    {API_CHAT, API_MESSAGES, "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\",\"name\":\"Eve\"}]}", NULL,
     "'name' of a message"},
    {API_CHAT, API_MESSAGES, "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}", NULL, "empty"},
    {API_CHAT, API_MESSAGES, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"Hi\"}]}", NULL, "first turn"},
    {API_CHAT, API_MESSAGES,
     "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"Hi\"}]}", NULL,
     "go on with"},
    {API_CHAT, API_MESSAGES,
     "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"system\",\"content\":\"Hi\"}]}", NULL,
     "behind the first turn"},
    {API_CHAT, API_MESSAGES, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}", NULL,
     "neither data nor a URL"},
    {API_MESSAGES, API_CHAT, /* in a data URL its comma would end the head */
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_"
     "type\":"
     "\"image/gif,x\",\"data\":\"BB\"}}]}]}",
     NULL, "RFC 6838"},
    {API_CHAT, API_MESSAGES,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{}}]}]}", NULL,
     "neither a text nor an image"},
    {API_CHAT, API_MESSAGES,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://"
     "x\",\"detail\":\"low\"}}]}]}",
     NULL, "'detail'"},
    {API_CHAT, API_MESSAGES, "{\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"f\"}}]," ASK "}", NULL, "tool"},
    {API_CHAT, API_MESSAGES, "{\"messages\":[]}", NULL, "no turns"},
    {API_MESSAGES, API_CHAT,
     "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"The answer is (\"}]}",
     NULL, "to be gone on with"},
    {API_MESSAGES, API_CHAT, "{\"top_k\":5," ASK "}", NULL, "'top_k' has no place in chat"},
    {API_MESSAGES, API_CHAT, "{\"stop_sequences\":[\"a\"]," ASK "}", NULL, "'stop_sequences'"},
    {API_MESSAGES, API_CHAT, "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}," ASK "}", NULL, "thinking"},
    {API_MESSAGES, API_CHAT, "{\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]," ASK "}", NULL,
     "own"},
    {API_CHAT, API_MESSAGES,
     "{\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{}}}," ASK "}", NULL,
     "not 'strict'"},
    {API_MESSAGES, API_CHAT, "{\"output_config\":{\"effort\":\"low\"}," ASK "}", NULL, "'effort' of 'output_config'"},
    {API_MESSAGES, API_CHAT, "{\"container\":\"c\"," ASK "}", NULL, "'container'"},
    {API_MESSAGES, API_CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\",\"source\":{}}]}]}",
     NULL, "a block"},
    {API_MESSAGES, API_CHAT,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"is_error\":true}"
     "]}]}",
     NULL, "'is_error'"},
    {API_RESPONSES, API_CHAT, "{\"input\":\"Hi\",\"previous_response_id\":\"r\"}", NULL, "'previous_response_id'"},
    {API_RESPONSES, API_CHAT, "{\"input\":\"Hi\",\"background\":true}", NULL, "background"},
    {API_RESPONSES, API_CHAT, "{\"input\":\"Hi\",\"truncation\":\"auto\"}", NULL, "'truncation'"},
    {API_RESPONSES, API_CHAT, "{\"input\":[{\"type\":\"reasoning\",\"summary\":[]}]}", NULL, "reasoning"},
    {API_RESPONSES, API_CHAT, "{\"input\":[{\"type\":\"item_reference\",\"id\":\"x\"}]}", NULL, "an item"},
    {API_RESPONSES, API_MESSAGES, "{\"input\":\"Hi\",\"tools\":[{\"type\":\"web_search\"}]}", NULL,
     "a tool is no function"},
    /* What should be a list is none */
    {API_CHAT, API_MESSAGES, "{\"tools\":{\"f\":{}}," ASK "}", NULL, "'tools' is no list"},
    {API_CHAT, API_RESPONSES, "{\"messages\":{}}", NULL, "'messages' is no list"},
    {API_CHAT, API_RESPONSES, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\",\"tool_calls\":{}}]}", NULL,
     "'tool_calls' is no list"},
    {API_MESSAGES, API_CHAT, "{\"tools\":{}," ASK "}", NULL, "'tools' is no list"},
    {API_MESSAGES, API_RESPONSES, "{\"messages\":\"Hi\"}", NULL, "'messages' is no list"},
    {API_MESSAGES, API_RESPONSES, "{\"stop_sequences\":\"X\"," ASK "}", NULL, "'stop_sequences' is no list"},
    {API_MESSAGES, API_RESPONSES, "{\"mcp_servers\":{\"url\":\"x\"}," ASK "}", NULL, "'mcp_servers' is no list"},
    {API_MESSAGES, API_CHAT,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\",\"citations\":{\"enabled\":true}"
     "}"
     "]}]}",
     NULL, "'citations' is no list"},
    {API_RESPONSES, API_CHAT, "{\"input\":\"Hi\",\"tools\":{}}", NULL, "'tools' is no list"},
    {API_RESPONSES, API_CHAT, "{\"input\":\"Hi\",\"include\":\"x\"}", NULL, "'include' is no list"},
    {API_RESPONSES, API_CHAT,
     "{\"input\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"x\",\"annotations\":{}}]}]"
     "}",
     NULL, "'annotations' is no list"},
    /* Which of the two is meant? */
    {API_CHAT, API_MESSAGES, "{\"messages\":[{\"role\":\"user\",\"content\":\"one\",\"content\":\"two\"}]}", NULL,
     "'content' of a message is there twice"},
    {API_CHAT, API_RESPONSES, "{\"messages\":[{\"role\":\"user\",\"content\":\"one\",\"content\":null}]}", NULL,
     "'content' of a message is there twice"},
    {API_CHAT, API_RESPONSES, "{\"messages\":[{\"role\":\"user\",\"content\":\"one\",\"role\":\"system\"}]}", NULL,
     "'role' of a message is there twice"},
    {API_MESSAGES, API_CHAT, "{\"thinking\":{\"type\":\"disabled\",\"type\":\"enabled\"}," ASK "}", NULL,
     "there twice"},
    {API_MESSAGES, API_CHAT,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"text\":\"b\"}]}]}", NULL,
     "'text' of a block is there twice"},
    {API_RESPONSES, API_CHAT, "{\"input\":\"Hi\",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"name\":\"g\"}]}",
     NULL, "'name' of a tool is there twice"},
    /* Turns that say nothing would be gone */
    {API_CHAT, API_RESPONSES, "{\"messages\":[{\"role\":\"user\"},{\"role\":\"user\",\"content\":\"Hi\"}]}", NULL,
     "a turn says nothing"},
    {API_CHAT, API_RESPONSES, "{\"messages\":[{\"role\":\"assistant\"},{\"role\":\"user\",\"content\":\"Hi\"}]}", NULL,
     "a turn says nothing"},
    {API_CHAT, API_RESPONSES, "{\"messages\":[{\"role\":\"user\",\"content\":[]}]}", NULL, "a turn says nothing"},
    {API_MESSAGES, API_CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":[]}]}", NULL, "a turn says nothing"},
    {API_MESSAGES, API_CHAT,
     "{\"tool_choice\":{\"type\":\"none\",\"name\":\"f\"},\"tools\":[{\"name\":\"f\"}]," ASK "}", NULL,
     "whether it means one tool"},
    {API_RESPONSES, API_CHAT,
     "{\"input\":\"Hi\",\"tool_choice\":{\"type\":\"function\"},\"tools\":[{\"type\":\"function\",\"name\":\"f\"}]}",
     NULL, "'tool_choice'"},
    {API_RESPONSES, API_CHAT, "{\"input\":\"Hi\",\"text\":{\"format\":{\"type\":\"json_object\",\"schema\":{}}}}", NULL,
     "says what only a schema does"},
    /* A call is wanted of nobody */
    {API_CHAT, API_RESPONSES, "{\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}," ASK "}", NULL,
     "there are no tools"},
    {API_CHAT, API_MESSAGES, "{\"tool_choice\":\"required\",\"tools\":[]," ASK "}", NULL, "there are no tools"},
    {API_CHAT, API_RESPONSES, "{\"stop\":[\"a\"]," ASK "}", NULL, "stop sequences"},
    {API_CHAT, API_RESPONSES, "{\"max_tokens\":5," ASK "}", NULL, "the cap"},
};

static struct translated
translate(const struct request_case *c, struct arena *arena)
{
    return translate_request(c->from, c->to, slice_of(c->body), arena);
}

static void
requests_are_put_in_other_words_or_it_is_said_why_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(request_cases) / sizeof(request_cases[0]); i++) {
        const struct request_case *c = &request_cases[i];
        struct translated translated;
        struct buffer body = {0};
        struct arena arena;

        arena_init(&arena);
        translated = translate(c, &arena);
        if (c->why != NULL && (translated.why == NULL || strstr(translated.why, c->why) == NULL))
            fail_msg("case %zu: wanted %s, got %s", i, c->why, translated.why != NULL ? translated.why : "none");
        if (c->why == NULL && translated.why != NULL)
            fail_msg("case %zu: %s", i, translated.why);
        if (c->why == NULL) {
            talk_text_body(&translated, &body);
            assert_same_json(buffer_content(&body), c->wanted);
        }
        chunk_release(translated.rest);
        buffer_free(&body);
        arena_reset(&arena);
    }
}

/* Reading what was written finds all that was read before. */
static void
nothing_is_lost_on_the_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(request_cases) / sizeof(request_cases[0]); i++) {
        const struct request_case *c = &request_cases[i];
        struct buffer body = {0}, before = {0}, after = {0};
        struct translated translated;
        struct arena arena;
        bool ordered = c->from != API_CHAT && c->to != API_CHAT;
        int64_t cap, cap_after;

        arena_init(&arena);
        translated = translate(c, &arena);
        if (translated.why == NULL) {
            talk_text_body(&translated, &body);
            assert_true(talk_say(c->from, slice_of(c->body), ordered, &before, &cap));
            assert_true(talk_say(c->to, buffer_content(&body), ordered, &after, &cap_after));
            buffer_add_byte(&before, '\0');
            buffer_add_byte(&after, '\0');
            assert_string_equal(after.data, before.data);
            assert_int_equal(cap_after, cap < 0 && c->to == API_MESSAGES ? TRANSLATE_CAP_IF_NONE : cap);
        }
        chunk_release(translated.rest);
        buffer_free(&body);
        buffer_free(&before);
        buffer_free(&after);
        arena_reset(&arena);
    }
}

/* A tool may bring a great many pieces: each costs as much as the first. (If each cost as much as all before it, this would
 * take minutes.) */
static void
many_pieces_of_a_result(void **state)
{
    enum { PIECES = 300000 };
    struct buffer body = {0}, wanted = {0};
    struct translated translated;
    struct arena arena;
    size_t at, count = 0;

    (void)state;
    arena_init(&arena);
    buffer_add_text(&body, "{\"model\":\"a\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
                           "\"tool_result\",\"tool_use_id\":\"t\",\"content\":[");
    for (int i = 0; i < PIECES; i++)
        buffer_printf(&body, "%s{\"type\":\"text\",\"text\":\"%d\"}", i > 0 ? "," : "", i);
    buffer_add_text(&body, "]}]}]}");
    translated = translate_request(API_MESSAGES, API_CHAT, buffer_content(&body), &arena);
    assert_null(translated.why);
    for (struct slice rest = chunk_bytes(translated.rest); rest.len > 0; rest = slice_from(rest, at + 8)) {
        at = slice_find(rest, SLICE_LITERAL("\"text\":\""));
        if (at == rest.len)
            break;
        buffer_clear(&wanted);
        buffer_printf(&wanted, "%zu\"", count++);
        assert_true(slice_equal(slice_first(slice_from(rest, at + 8), buffer_len(&wanted)), buffer_content(&wanted)));
    }
    assert_int_equal(count, PIECES);
    chunk_release(translated.rest);
    buffer_free(&body);
    buffer_free(&wanted);
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_put_in_other_words_or_it_is_said_why_not),
        cmocka_unit_test(nothing_is_lost_on_the_way),
        cmocka_unit_test(many_pieces_of_a_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
