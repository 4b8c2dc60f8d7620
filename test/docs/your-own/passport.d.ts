/** As much of passport, whose types are not installed here, as the README's example uses. It follows the declarations of @types/passport 1. */
declare module 'passport' {
  const passport: {
    authenticate(strategy: string | readonly string[], options?: object): unknown;
  };
  export default passport;
}
