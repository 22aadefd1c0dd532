// A client as an application has it: typed by what was generated from the document. It compiles, and
// it runs: LECTERN_URL, LECTERN_EMAIL and LECTERN_PASSWORD say where and as whom.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Course = components["schemas"]["course"];

function setting(name: string): string {
    const value = process.env[name];
    if (value === undefined) throw new Error(`${name} is not set`);
    return value;
}

const api = createClient<paths>({ baseUrl: setting("LECTERN_URL") });

async function signIn(): Promise<string> {
    const { data, error } = await api.POST("/api/v1/auth/login", {
        body: { email: setting("LECTERN_EMAIL"), password: setting("LECTERN_PASSWORD"), use_cookies: false },
    });
    if (error !== undefined) throw new Error(`${error.status} ${error.code}`);
    return data.data.access_token;
}

async function courses(headers: { authorization: string }): Promise<Course[]> {
    const { data, error } = await api.GET("/api/v1/courses", {
        headers,
        params: { query: { limit: 5, sort: ["-created_at"], "status[in]": ["published", "draft"] } },
        querySerializer: { array: { style: "form", explode: false } },
    });
    if (error !== undefined) throw new Error(`${error.status} ${error.code}`);
    const more: string | null = data.page.next_cursor;
    console.log(`${data.data.length} courses, ${more === null ? "no more" : "and more"}`);
    return data.data;
}

async function absent(headers: { authorization: string }): Promise<string> {
    const { error } = await api.GET("/api/v1/courses/{course_id}", {
        headers,
        params: { path: { course_id: "00000000-0000-4000-8000-000000000000" } },
    });
    if (error === undefined) throw new Error("a course that is not there was found");
    return error.code;
}

// What is wrong does not compile: an excuse that excuses nothing is an error of its own.
export function refused(): void {
    // @ts-expect-error a title is required
    void api.POST("/api/v1/courses", { body: {} });
    // @ts-expect-error a course has no colour
    const course: components["schemas"]["course_create_request"] = { title: "T", colour: "red" };
    void api.POST("/api/v1/courses", { body: course });
    // @ts-expect-error a visibility that there is not
    void api.POST("/api/v1/courses", { body: { title: "T", visibility: "secret" } });
    // @ts-expect-error the course is missing
    void api.GET("/api/v1/courses/{course_id}", {});
    // @ts-expect-error an address that there is not
    void api.GET("/api/v1/nowhere");
}

const headers = { authorization: `Bearer ${await signIn()}` };
const found = await courses(headers);
const titles: string[] = found.map((course) => course.title);
const seats: (number | null)[] = found.map((course) => course.seats);
const code = await absent(headers);
if (code !== "not_found" || titles.length !== seats.length) throw new Error(`absent: ${code}`);
console.log("the sample ran");
